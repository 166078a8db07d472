"""Makes the call of a payload, for who is about to run it."""

from collections.abc import Callable, Mapping
from typing import Any

from sitq.core import Result
from sitq.inputs import Values, filling
from sitq.retry import Retry, unwrap
from sitq.serialization.protocols import CallSerializer


def load_call(
    serializer: CallSerializer, payload: bytes, inputs: Mapping[str, Result] | None
) -> tuple[Callable[..., Any], tuple[Any, ...], Mapping[str, Any], Retry | None]:
    """Give function, arguments, keyword arguments and retry policy.

    Args:
        inputs: what the tasks came to whose values the call takes; None when it takes none.

    Raises:
        SerializationError: the payload, or a value, cannot be loaded here.
        TaskQueueError: a task that it needs is gone.
    """
    if inputs is None:
        function, args, kwargs = serializer.loads_call(payload)
    else:
        with filling(Values(inputs, serializer.loads)):
            function, args, kwargs = serializer.loads_call(payload)
    function, retry = unwrap(function)
    return function, args, kwargs, retry
