"""What stands before every body of bytes, so that a reader refuses what it cannot read before it tries.

Format, flags, major and minor version of Python, length of the serializer's name, its name; one byte each but the last.
"""

import sys

from sitq.exceptions import SerializationError

VALUE = 0
CALL = 2  # a flag: the body is a call, not a value

_FORMAT = 1
_CODE = 1  # a flag: the body holds code by value, on which another minor version of Python would crash
_PYTHON = (sys.version_info.major, sys.version_info.minor)
_NAME_AT = 5


def required_python(payload: bytes) -> str | None:
    """Tell which Python ("3.11") alone can load a payload, because it carries code by value; None means any."""
    if len(payload) < _NAME_AT or payload[0] != _FORMAT or not payload[1] & _CODE:
        return None
    return f"{payload[2]}.{payload[3]}"


class Envelope:
    """Marks bodies as written by one serializer, and tells whether one may be read by it here.

    Args:
        name: what the serializer is called in envelopes and in errors.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._encoded = name.encode("ascii", "backslashreplace")[:255]
        tail = bytes((*_PYTHON, len(self._encoded))) + self._encoded
        self._headers = [bytes((_FORMAT, flags)) + tail for flags in range(4)]
        self._readable = {kind: (self._headers[kind], self._headers[kind | _CODE]) for kind in (VALUE, CALL)}
        self.body_at = len(self._headers[0])

    def header(self, kind: int, *, carries_code: bool) -> bytes:
        return self._headers[kind | carries_code]

    def check(self, data: bytes, kind: int) -> None:
        """Let pass what may be read from `body_at` on.

        Raises:
            SerializationError: the bytes are no envelope, or one of another serializer, kind or version of Python.
        """
        if not data.startswith(self._readable[kind]) and (fault := self._fault(data, kind)):
            raise SerializationError(fault)

    def _fault(self, data: bytes, kind: int) -> str | None:
        what = "payload" if kind == CALL else "value"
        if len(data) < _NAME_AT or len(data) < _NAME_AT + data[_NAME_AT - 1]:
            return f"{what} is cut off or was not written by sitq, got {len(data)} bytes: {data[:16]!r}"
        if data[0] != _FORMAT or data[1] & ~(_CODE | CALL):
            return f"{what} was not written by sitq, or by a newer version of it, got {data[:16]!r}"
        name = data[_NAME_AT : _NAME_AT + data[_NAME_AT - 1]]
        if name != self._encoded:
            written_by = name.decode("ascii", "backslashreplace")
            return f"{what} was written by serializer {written_by!r}, this side reads {self.name!r}"
        if data[1] & CALL != kind:
            return f"{what} expected, got the bytes of a {'value' if kind == CALL else 'call'}"
        python = required_python(data)
        if python and (data[2], data[3]) != _PYTHON:
            return f"{what} carries code of Python {python}, which Python {_PYTHON[0]}.{_PYTHON[1]} cannot load"
        return None
