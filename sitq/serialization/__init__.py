"""Makes bytes of calls and values, and calls and values of bytes, for both doors."""

from sitq.serialization.by_name import JsonSerializer as JsonSerializer
from sitq.serialization.by_value import CloudpickleSerializer as CloudpickleSerializer
from sitq.serialization.by_value import LargePayloadWarning as LargePayloadWarning
from sitq.serialization.calls import call_serializer as call_serializer
from sitq.serialization.calls import load_call as load_call
from sitq.serialization.envelope import required_python as required_python
from sitq.serialization.protocols import Call as Call
from sitq.serialization.protocols import CallSerializer as CallSerializer
from sitq.serialization.protocols import Serializer as Serializer
from sitq.serialization.signed import SignedSerializer as SignedSerializer
