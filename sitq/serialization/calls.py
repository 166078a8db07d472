"""Makes the doors' serializer of any that was given."""

import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sitq.exceptions import SerializationError, ValidationError
from sitq.serialization.anatomy import call_roots
from sitq.serialization.by_value import CloudpickleSerializer
from sitq.serialization.envelope import CALL, VALUE, Envelope
from sitq.serialization.pickling import carries_code, error_line
from sitq.serialization.protocols import Call, CallSerializer, Serializer


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
