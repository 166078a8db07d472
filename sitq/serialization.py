"""Makes bytes of calls and values, and calls and values of bytes, for both doors."""

import hmac
import inspect
import types
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from sitq._anatomy import Carried
from sitq._envelope import CALL, VALUE, Envelope
from sitq._envelope import required_python as required_python
from sitq._pickling import FileFullError, Pickled, carries_code, error_line, pickle_function, pickle_value, unpickle
from sitq._portable import (
    fill_ids,
    from_json,
    import_function,
    import_path,
    json_fault,
    note_ids,
    policy_as_json,
    policy_from_json,
    to_json,
)
from sitq.captures import call_roots, find_problem, format_size, largest, pickling_fault, total_size
from sitq.core import Claim
from sitq.exceptions import ResourceExhaustionError, SerializationError, SitqError, ValidationError
from sitq.inputs import Values, filling, noting
from sitq.retry import RetriedCall

Call = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]

_LENGTH_BYTES = 4
_SIGNATURE_BYTES = 32
_KEY_BYTES = 16


@runtime_checkable
class Serializer(Protocol):
    """Turns a value into bytes and back. Any object with these two methods serves, such as the `pickle` module."""

    def dumps(self, value: Any, /) -> bytes: ...

    def loads(self, data: bytes, /) -> Any: ...


@runtime_checkable
class CallSerializer(Serializer, Protocol):
    """What the doors work with: all five methods. `call_serializer` makes one of any serializer."""

    def dumps_call(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], /) -> bytes: ...

    def dumps_many(self, func: Callable[..., Any], calls: Iterable[Sequence[Any]], /) -> Iterator[bytes]:
        """Make the payloads of many calls of one function, each given by its positional arguments."""
        ...

    def loads_call(self, payload: bytes, /) -> Call: ...


def call_serializer(serializer: Serializer | None) -> CallSerializer:
    """Give the doors the serializer itself if it knows calls, else one that wraps it; cloudpickle's for None.

    Raises:
        ValidationError: the object is no serializer.
    """
    if serializer is None:
        return CloudpickleSerializer()
    if isinstance(serializer, type) or not isinstance(serializer, Serializer):
        raise ValidationError(f"serializer must be an object with dumps and loads, got {serializer!r}")
    return serializer if isinstance(serializer, CallSerializer) else _WrappedSerializer(serializer)


def load_call(serializer: CallSerializer, claim: Claim) -> Call:
    """Make the call of a claim, with the values of the tasks that it needs filled in.

    Raises:
        SerializationError: the payload, or a value, cannot be loaded here.
        TaskQueueError: a task that it needs is gone.
    """
    if claim.inputs is None:
        return serializer.loads_call(claim.payload)
    with filling(Values(claim.inputs, serializer.loads)):
        return serializer.loads_call(claim.payload)


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
        with noting(None):
            function = self._pickle_function(func)
        return self._seal(func, function, args, dict(kwargs))

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
        match unpickle(body[start:end], "function"), unpickle(body[end:], "arguments"):
            case func, (tuple(args), dict(kwargs)) if callable(func):
                return func, args, kwargs
            case _:
                raise SerializationError("payload must hold a function, its arguments and its keywords")

    def _pickle_function(self, func: Callable[..., Any]) -> Pickled:
        try:
            data, code = pickle_function(func, self._max_bytes)
        except Exception as exc:  # reducers of any class may run, so anything may come
            raise self._refusal(exc, call_roots(func, (), {})) from exc
        return Pickled(len(data).to_bytes(_LENGTH_BYTES, "big") + data, code)

    def _seal(
        self, func: Callable[..., Any], function: Pickled, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> bytes:
        try:
            arguments = pickle_value((args, kwargs), self._max_bytes)
        except Exception as exc:  # reducers of any class may run, so anything may come
            raise self._refusal(exc, call_roots(func, args, kwargs)) from exc
        header = self._envelope.header(CALL, carries_code=function.carries_code or arguments.carries_code)
        payload = b"".join((header, function.data, arguments.data))
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
    while frame and frame.f_globals.get("__name__", "").partition(".")[0] == __package__:
        frame, level = frame.f_back, level + 1
    return level


class JsonSerializer:
    """Sends functions by import path and arguments as JSON, which any version of Python and other programs can read.

    A tuple arrives as a list; whatever else JSON would change is refused. Since a payload may name any function that
    the worker can import, a file that strangers can write needs a `SignedSerializer` around this one too.
    """

    _envelope = Envelope("json")

    def dumps(self, value: Any, /) -> bytes:
        """Make bytes of a value.

        Raises:
            SerializationError: JSON would not bring it back; the message names the part to blame.
        """
        if fault := json_fault(value, "result"):
            raise SerializationError(fault)
        return self._envelope.header(VALUE, carries_code=False) + to_json(value)

    def loads(self, data: bytes, /) -> Any:
        """Make a value of bytes.

        Raises:
            SerializationError: this serializer did not write them.
        """
        self._envelope.check(data, VALUE)
        return from_json(data[self._envelope.body_at :])

    def dumps_call(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], /) -> bytes:
        """Make bytes of a call.

        Raises:
            SerializationError: the function cannot be imported by its name, or JSON would not bring an argument back.
        """
        func, policy = (func.function, policy_as_json(func.retry)) if isinstance(func, RetriedCall) else (func, None)
        path = import_path(func)
        for root in call_roots(func, args, kwargs)[1:]:
            if fault := json_fault(root.value, root.path):
                raise SerializationError(fault)
        return self._envelope.header(CALL, carries_code=False) + to_json(
            [path, args, dict(kwargs), policy, note_ids([args, kwargs])]
        )

    def dumps_many(self, func: Callable[..., Any], calls: Iterable[Sequence[Any]], /) -> Iterator[bytes]:
        """Make the payloads of many calls of one function."""
        return (self.dumps_call(func, tuple(args), {}) for args in calls)

    def loads_call(self, payload: bytes, /) -> Call:
        """Import the function of a payload and make its arguments.

        Raises:
            SerializationError: this serializer did not write the payload, or the function is not to be found.
        """
        self._envelope.check(payload, CALL)
        match from_json(payload[self._envelope.body_at :]):
            case [str(path), list(args), dict(kwargs), policy, list(places)]:
                fill_ids([args, kwargs], places)
                function = import_function(path)
                return RetriedCall(function, policy_from_json(policy)) if policy else function, tuple(args), kwargs
            case other:
                raise SerializationError(f"payload must hold a path, a list and an object, got {type(other).__name__}")


class SignedSerializer:
    """Signs what another serializer writes, and lets it read nothing that was not signed with the same key.

    A worker runs whatever stands in the file; with a key that only producers and workers have, nobody else can make
    it run a function of theirs. They can still delete a payload or put one that was signed in another's place.

    Args:
        inner: does the work; None means cloudpickle.
        key: 16 bytes or more, the same on both sides, kept out of the file and out of the code.
    """

    _envelope = Envelope("signed")

    def __init__(self, inner: Serializer | None, key: bytes | str) -> None:
        self._inner = call_serializer(inner)
        self._key = key.encode() if isinstance(key, str) else key
        if not isinstance(self._key, bytes):
            raise ValidationError(f"key must be bytes or str, got {type(key).__name__}")
        if len(self._key) < _KEY_BYTES:
            raise ValidationError(f"key must have {_KEY_BYTES} bytes or more, got {len(self._key)}")

    def dumps(self, value: Any, /) -> bytes:
        """Make signed bytes of a value; raises what the inner serializer raises."""
        return self._sign(self._inner.dumps(value), VALUE)

    def loads(self, data: bytes, /) -> Any:
        """Make a value of bytes.

        Raises:
            SerializationError: they are not signed with this key, or the inner serializer refuses them.
        """
        return self._inner.loads(self._verify(data, VALUE))

    def dumps_call(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], /) -> bytes:
        """Make signed bytes of a call; raises what the inner serializer raises."""
        return self._sign(self._inner.dumps_call(func, args, kwargs), CALL)

    def dumps_many(self, func: Callable[..., Any], calls: Iterable[Sequence[Any]], /) -> Iterator[bytes]:
        """Make the signed payloads of many calls of one function."""
        return (self._sign(payload, CALL) for payload in self._inner.dumps_many(func, calls))

    def loads_call(self, payload: bytes, /) -> Call:
        """Make function, arguments and keyword arguments of a payload.

        Raises:
            SerializationError: it is not signed with this key, or the inner serializer refuses it.
        """
        return self._inner.loads_call(self._verify(payload, CALL))

    def _sign(self, body: bytes, kind: int) -> bytes:
        header = self._envelope.header(kind, carries_code=required_python(body) is not None)
        return b"".join((header, self._signature(header, body), body))

    def _verify(self, data: bytes, kind: int) -> bytes:
        self._envelope.check(data, kind)
        signature_at, body_at = self._envelope.body_at, self._envelope.body_at + _SIGNATURE_BYTES
        header, signature, body = data[:signature_at], data[signature_at:body_at], data[body_at:]
        if not hmac.compare_digest(signature, self._signature(header, body)):
            raise SerializationError(
                "signature does not match: it was changed, or signed with another key than this one"
            )
        return body

    def _signature(self, header: bytes, body: bytes) -> bytes:
        # The header, which tells calls from values, is signed too: what a task returned never passes for a call.
        return hmac.digest(self._key, header + body, "sha256")


class _WrappedSerializer:
    """Teaches calls and envelopes to an object that has only dumps and loads."""

    def __init__(self, serializer: Serializer) -> None:
        self._serializer = serializer
        name = serializer.__name__ if isinstance(serializer, types.ModuleType) else type(serializer).__name__
        self._envelope = Envelope(name)

    def dumps(self, value: Any, /) -> bytes:
        return self._dumps(value, VALUE, "result")

    def loads(self, data: bytes, /) -> Any:
        return self._loads(data, VALUE)

    def dumps_call(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], /) -> bytes:
        return self._dumps((func, args, dict(kwargs)), CALL, call_roots(func, (), {})[0].path)

    def dumps_many(self, func: Callable[..., Any], calls: Iterable[Sequence[Any]], /) -> Iterator[bytes]:
        return (self.dumps_call(func, tuple(args), {}) for args in calls)

    def loads_call(self, payload: bytes, /) -> Call:
        match self._loads(payload, CALL):
            case [func, args, kwargs] if callable(func):
                return func, tuple(args), dict(kwargs)
            case _:
                raise SerializationError("payload must hold a function, its arguments and its keywords")

    def _dumps(self, value: Any, kind: int, what: str) -> bytes:
        try:
            body = self._serializer.dumps(value)
        except Exception as exc:  # it is not ours, so anything may come
            raise SerializationError(f"serializer {self._envelope.name!r} refuses {what}: {error_line(exc)}") from exc
        if not isinstance(body, bytes):
            name, got = self._envelope.name, type(body).__name__
            raise SerializationError(f"serializer {name!r} must return bytes from dumps, got {got}")
        return self._envelope.header(kind, carries_code=carries_code(body)) + body

    def _loads(self, data: bytes, kind: int) -> Any:
        self._envelope.check(data, kind)
        try:
            return self._serializer.loads(data[self._envelope.body_at :])
        except Exception as exc:  # it is not ours, so anything may come
            raise SerializationError(f"serializer {self._envelope.name!r} cannot read: {error_line(exc)}") from exc
