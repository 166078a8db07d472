"""Calls as an import path and JSON: small, readable, and the same for every version of Python."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sitq.exceptions import SerializationError
from sitq.import_paths import import_function, import_path
from sitq.retry import RetriedCall
from sitq.serialization.anatomy import call_roots
from sitq.serialization.envelope import CALL, VALUE, Envelope
from sitq.serialization.portable import (
    fill_ids,
    from_json,
    json_fault,
    note_ids,
    policy_as_json,
    policy_from_json,
    to_json,
)
from sitq.serialization.protocols import Call


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
