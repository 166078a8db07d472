"""A span of OpenTelemetry around each attempt, in the trace of who enqueued the task. Needs the extra `otel`."""

from sitq.core import Cause, Claim, Outcome
from sitq.exceptions import ConfigurationError
from sitq.middleware import CallNext

try:
    from opentelemetry import propagate, trace
    from opentelemetry.context import Context
except ImportError as exc:
    raise ConfigurationError("sitq.otel needs opentelemetry-api; pip install 'sitq-queue[otel]'") from exc

_FAILURES = (Cause.ERROR, Cause.TIMEOUT, Cause.LOST)


class TracingMiddleware:
    """Opens a span around each attempt; it is the current one inside the task's function.

    The span is named `process` and the task's name, is of kind CONSUMER, and has the attributes that OpenTelemetry
    names for messages, beside `sitq.task.name`, `sitq.task.attempt` and `sitq.task.cause`, which tells why the attempt
    ended. One that failed has the status ERROR and an exception event. Arguments and values are no part of it.

    Args:
        tracer_provider: whose spans they are; the global one unless given.
    """

    def __init__(self, *, tracer_provider: trace.TracerProvider | None = None) -> None:
        self._tracer = trace.get_tracer("sitq", tracer_provider=tracer_provider)

    async def __call__(self, claim: Claim, call_next: CallNext, /) -> Outcome:
        with self._tracer.start_as_current_span(
            f"process {claim.name}",
            context=_context_of(claim),
            kind=trace.SpanKind.CONSUMER,
            attributes={
                "messaging.system": "sitq",
                "messaging.operation.name": "process",
                "messaging.operation.type": "process",
                "messaging.destination.name": claim.queue,
                "messaging.message.id": claim.id,
                "sitq.task.name": claim.name,
                "sitq.task.attempt": claim.attempt,
            },
        ) as span:
            outcome = await call_next()
            _describe(span, outcome)
            return outcome


def trace_meta() -> dict[str, str]:
    """Give the current trace as facts for a task's `meta`, so that the spans of its attempts become part of it.

    ```python
    await queue.options(meta={"order": 7, **trace_meta()}).enqueue(ship, 7)
    ```
    """
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier


def _context_of(claim: Claim) -> Context:
    return propagate.extract({name: value for name, value in (claim.meta or {}).items() if isinstance(value, str)})


def _describe(span: trace.Span, outcome: Outcome) -> None:
    span.set_attribute("sitq.task.cause", outcome.cause)
    if outcome.cause not in _FAILURES:
        return
    kind, _, message = (outcome.error or outcome.cause).partition(": ")
    span.set_attribute("error.type", kind)
    span.set_status(trace.StatusCode.ERROR, outcome.error)
    facts = {"exception.type": kind, "exception.message": message, "exception.stacktrace": outcome.traceback}
    span.add_event("exception", {name: text for name, text in facts.items() if text})
