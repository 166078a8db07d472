"""Calls and values as cloudpickle writes them: any function goes along as it stands."""

import inspect
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sitq.exceptions import ResourceExhaustionError, SerializationError, SitqError, ValidationError
from sitq.serialization.anatomy import Carried, call_roots
from sitq.serialization.envelope import CALL, VALUE, Envelope
from sitq.serialization.pickling import FileFullError, Pickled, pickle_function, pickle_value, unpickle
from sitq.serialization.problems import find_problem, pickling_fault
from sitq.serialization.protocols import Call
from sitq.serialization.weights import format_size, largest, total_size

_LENGTH_BYTES = 4


class LargePayloadWarning(UserWarning):
    """A call or a value makes so many bytes that something may have been captured by accident."""


class CloudpickleSerializer:
    """Sends any function, importable ones by name and all others by value, as they are at this moment.

    The function and the arguments are pickled apart: an object that both refer to arrives as two.

    Args:
        max_bytes: bytes of a payload or a value above which it is refused.
        warn_bytes: bytes above which a LargePayloadWarning names what weighs most.
    """

    _envelope = Envelope("cloudpickle")

    def __init__(self, *, max_bytes: int = 64 * 1024**2, warn_bytes: int = 1024**2) -> None:
        if not 0 < max_bytes < 1 << 8 * _LENGTH_BYTES:
            raise ValidationError(f"max_bytes must be from 1 to {(1 << 8 * _LENGTH_BYTES) - 1}, got {max_bytes}")
        if warn_bytes < 0:
            raise ValidationError(f"warn_bytes must be 0 or more, got {warn_bytes}")
        self._max_bytes = max_bytes
        self._noted_bytes = min(max_bytes, warn_bytes)

    def dumps(self, value: Any, /) -> bytes:
        """Make bytes of a value.

        Raises:
            SerializationError: it cannot be pickled; the message names the innermost object that cannot.
            ResourceExhaustionError: it makes more than `max_bytes`.
        """
        try:
            data, code = pickle_value(value, self._max_bytes)
        except Exception as exc:  # reducers of any class may run, so anything may come
            raise self._refusal(exc, [Carried("result", "result", value)]) from exc
        if len(data) > self._noted_bytes:
            self._note(len(data), [Carried("result", "result", value)])
        return self._envelope.header(VALUE, carries_code=code) + data

    def loads(self, data: bytes, /) -> Any:
        """Make a value of bytes.

        Raises:
            SerializationError: the bytes must not be unpickled here, or cannot be.
        """
        self._envelope.check(data, VALUE)
        return unpickle(memoryview(data)[self._envelope.body_at :], "value")

    def dumps_call(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], /) -> bytes:
        """Make bytes of a call.

        Raises:
            SerializationError: it cannot be pickled; the message names the innermost object that cannot.
            ResourceExhaustionError: it makes more than `max_bytes`.
        """
        return self._seal(func, self._pickle_function(func), args, dict(kwargs))

    def dumps_many(self, func: Callable[..., Any], calls: Iterable[Sequence[Any]], /) -> Iterator[bytes]:
        """Make the payloads of many calls; the function is pickled once, before the first of them is asked for."""
        function = self._pickle_function(func)
        return (self._seal(func, function, tuple(args), {}) for args in calls)

    def loads_call(self, payload: bytes, /) -> Call:
        """Make function, arguments and keyword arguments of a payload.

        Raises:
            SerializationError: the payload must not be unpickled here, or cannot be.
        """
        self._envelope.check(payload, CALL)
        start = self._envelope.body_at + _LENGTH_BYTES
        end = start + int.from_bytes(payload[start - _LENGTH_BYTES : start], "big")
        body = memoryview(payload)
        func, arguments = unpickle(body[start:end], "function"), unpickle(body[end:], "arguments")
        args, kwargs = arguments if isinstance(arguments, tuple) and len(arguments) == 2 else (None, None)
        if not (callable(func) and isinstance(args, tuple) and isinstance(kwargs, dict)):  # `match` would take 1 µs
            raise SerializationError("payload must hold a function, its arguments and its keywords")
        return func, args, kwargs

    def _pickle_function(self, func: Callable[..., Any]) -> Pickled:
        try:
            return pickle_function(func, self._max_bytes)
        except Exception as exc:  # reducers of any class may run, so anything may come
            raise self._refusal(exc, call_roots(func, (), {})) from exc

    def _seal(
        self, func: Callable[..., Any], function: Pickled, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> bytes:
        try:
            arguments = pickle_value((args, kwargs), self._max_bytes)
        except Exception as exc:  # reducers of any class may run, so anything may come
            raise self._refusal(exc, call_roots(func, args, kwargs)) from exc
        header = self._envelope.header(CALL, carries_code=function.carries_code or arguments.carries_code)
        length = len(function.data).to_bytes(_LENGTH_BYTES, "big")
        payload = b"".join((header, length, function.data, arguments.data))
        if len(payload) > self._noted_bytes:
            self._note(len(payload), call_roots(func, args, kwargs))
        return payload

    def _refusal(self, error: Exception, roots: list[Carried]) -> SitqError:
        if isinstance(error, FileFullError):
            return self._too_large(total_size(roots), roots)
        problem = find_problem(roots)
        return SerializationError(str(problem) if problem else f"{pickling_fault(error)}: {roots[0].path}")

    def _note(self, size: int, roots: list[Carried]) -> None:
        if size > self._max_bytes:
            raise self._too_large(size, roots)
        message = f"{_subject(roots)} is {format_size(size)}; {_advice(roots)}"
        warnings.warn(message, LargePayloadWarning, stacklevel=_frames_to_caller())

    def _too_large(self, size: int, roots: list[Carried]) -> ResourceExhaustionError:
        limit = format_size(self._max_bytes)
        message = f"{_subject(roots)} is {format_size(size)}, more than max_bytes of {limit}; {_advice(roots)}"
        return ResourceExhaustionError(message, size=size, max_bytes=self._max_bytes)


def _subject(roots: list[Carried]) -> str:
    return "result" if roots[0].kind == "result" else f"call of {roots[0].path}"


def _advice(roots: list[Carried]) -> str:
    if roots[0].kind == "result":
        return f"largest: {largest(roots)}; return less, or write it to a file and return its path"
    return f"largest: {largest(roots)}; pass it as an argument, load it inside the task, or use a file"


def _frames_to_caller() -> int:
    """Count the frames from whoever warns to the first that is not of sitq."""
    frame, level = inspect.currentframe(), 0
    while frame and frame.f_globals.get("__name__", "").partition(".")[0] == "sitq":
        frame, level = frame.f_back, level + 1
    return level
