"""Writes tracebacks as text, on request with the variables of the frames that are the user's own."""

import os
import traceback
from collections.abc import Iterator
from contextvars import ContextVar
from itertools import islice
from types import FrameType, TracebackType

from sitq.shortening import shorten

with_locals: ContextVar[bool] = ContextVar("with_locals", default=False)
"""Whether variables are told: set by the worker in the context of its attempts."""

_MOST = 30  # variables of one frame
_LIBRARIES = ("site-packages", "dist-packages")


def lines_of(exc: BaseException, begin: TracebackType | None) -> Iterator[str]:
    """Write an exception as Python does when nobody catches it, from the frame `begin` on."""
    told = traceback.TracebackException(type(exc), exc, begin)
    if with_locals.get():
        _add_locals(told, exc, begin)
    return told.format()


def _add_locals(told: traceback.TracebackException, exc: BaseException, begin: TracebackType | None) -> None:
    waiting = [(told, exc, begin)]
    while waiting:  # no recursion: chains of exceptions may be as long as a program runs
        told, exc, begin = waiting.pop()
        for summary, (frame, _) in zip(told.stack, traceback.walk_tb(begin), strict=False):
            if _is_own(frame):
                summary.locals = {name: shorten(value) for name, value in islice(frame.f_locals.items(), _MOST)}
        waiting += [(one, inner, inner.__traceback__) for one, inner in _inner(told, exc) if one and inner]


def _inner(
    told: traceback.TracebackException, exc: BaseException
) -> Iterator[tuple[traceback.TracebackException | None, BaseException | None]]:
    """Pair the exceptions that belong to one with what is told of them; one that was told before is None there."""
    yield told.__cause__, exc.__cause__
    yield told.__context__, exc.__context__
    if isinstance(exc, BaseExceptionGroup):
        yield from zip(told.exceptions or (), exc.exceptions, strict=False)


def _is_own(frame: FrameType) -> bool:
    """Tell whether a frame is neither of a library nor a module that is being loaded, whose variables are its names."""
    file = frame.f_code.co_filename
    is_library = any(name in file for name in _LIBRARIES) or file.startswith((os.path.dirname(os.__file__), "<frozen"))
    return not is_library and frame.f_locals is not frame.f_globals
