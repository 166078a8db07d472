"""Explains what a call would carry, before it is enqueued."""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sitq.core import PYTHON_VERSION
from sitq.serialization.anatomy import call_name, call_roots
from sitq.serialization.problems import find_problem, open_files
from sitq.serialization.weights import Part, carried_parts, format_size, weight_of

_SHOWN_PARTS = 10


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Explanation:
    """What a call would carry, and what keeps it from being carried.

    Attributes:
        function: its name, as the paths of the parts have it.
        module: where a worker imports the function from; None when its code travels by value.
        python: "major.minor" that the call needs because it carries code by value; None means any.
        size: bytes of the pickled function and arguments; None when they cannot be pickled.
        parts: what it carries, the unpicklable first, then the largest.
        problem: path to the innermost object that cannot be pickled; None when all can.
        reason: what pickling that object raised.
        warnings: what can be pickled but is likely to surprise.
    """

    function: str
    module: str | None
    python: str | None
    size: int | None
    parts: tuple[Part, ...]
    problem: str | None
    reason: str | None
    warnings: tuple[str, ...]

    def __repr__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        size = "cannot be pickled" if self.size is None else format_size(self.size)
        origin = f"imported from {self.module}" if self.module else "sent by value"
        python = f"Python {self.python} only" if self.python else "any Python"
        yield f"{self.function}: {size}; {origin}; runs on {python}"
        yield from map(str, self.parts[:_SHOWN_PARTS])
        if hidden := len(self.parts[_SHOWN_PARTS:]):
            yield f"{'':>12}  and {hidden} smaller ones"
        if self.problem:
            yield f"problem: {self.reason}: {self.problem}"
        yield from (f"warning: {warning}" for warning in self.warnings)


def explain(func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Explanation:
    """Tell what a call would carry if it were enqueued now; what cannot be pickled is reported, not raised."""
    roots = call_roots(func, args, kwargs)
    function, arguments = weight_of(func), weight_of((args, kwargs))
    by_value = function is None or function.carries_code
    carries_code = by_value or (arguments is not None and arguments.carries_code)
    problem = find_problem(roots)
    return Explanation(
        function=call_name(func),
        module=None if by_value else _module(func),
        python=PYTHON_VERSION if carries_code else None,
        size=function.size + arguments.size if function and arguments else None,
        parts=tuple(carried_parts(roots)),
        problem=problem.path if problem else None,
        reason=problem.reason if problem else None,
        warnings=tuple(open_files(roots)),
    )


def _module(func: Any) -> str:
    if isinstance(func, functools.partial):
        return _module(func.func)
    return getattr(func, "__module__", None) or "builtins"
