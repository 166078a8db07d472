"""Makes bytes of calls and values, and calls and values of bytes, for both doors."""

from sitq.serialization.by_name import JsonSerializer
from sitq.serialization.by_value import CloudpickleSerializer, LargePayloadWarning
from sitq.serialization.calls import call_serializer
from sitq.serialization.envelope import required_python
from sitq.serialization.loading import load_call
from sitq.serialization.protocols import Call, CallSerializer, Serializer
from sitq.serialization.signed import SignedSerializer

__all__ = [
    "CloudpickleSerializer",
    "JsonSerializer",
    "SignedSerializer",
    "Serializer",
    "CallSerializer",
    "Call",
    "LargePayloadWarning",
    "call_serializer",
    "load_call",
    "required_python",
]
