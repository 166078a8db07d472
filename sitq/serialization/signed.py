"""A signature around what another serializer writes, so that a worker runs nothing from strangers."""

import hmac
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sitq.exceptions import SerializationError, ValidationError
from sitq.serialization.calls import call_serializer
from sitq.serialization.envelope import CALL, VALUE, Envelope, required_python
from sitq.serialization.protocols import Call, Serializer

_SIGNATURE_BYTES = 32
_KEY_BYTES = 16


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
