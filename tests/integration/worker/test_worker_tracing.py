"""Spans of OpenTelemetry around attempts, in the trace of the producer."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from running import echo, hold

from sitq.otel import TracingMiddleware, trace_meta
from sitq.queue import TaskQueue
from sitq.retry import Retry
from sitq.worker import Worker

SECRET = "correct horse battery staple"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def provider(exporter: InMemorySpanExporter) -> TracerProvider:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider


async def traced(path: Path, provider: TracerProvider) -> None:
    tracing = TracingMiddleware(tracer_provider=provider)
    await Worker(path, middleware=[tracing]).run_until_empty(timeout=10)


def span_id() -> int:
    return trace.get_current_span().get_span_context().span_id


async def span_id_async() -> int:
    await asyncio.sleep(0)
    return span_id()


def fail(secret: str) -> None:
    raise ValueError("no")


def attributes_of(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


async def test_attempt_has_a_span_with_the_attributes_of_a_message(
    path: Path, queue: TaskQueue, provider: TracerProvider, exporter: InMemorySpanExporter
) -> None:
    task = await queue.options(queue="mail").enqueue(echo, 1)
    await traced(path, provider)

    (span,) = exporter.get_finished_spans()
    assert (span.name, span.kind, span.status.is_ok) == ("process running.echo", trace.SpanKind.CONSUMER, True)
    assert attributes_of(span) == {
        "messaging.system": "sitq",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "mail",
        "messaging.message.id": task,
        "sitq.task.name": "running.echo",
        "sitq.task.attempt": 1,
        "sitq.task.cause": "success",
    }


@pytest.mark.parametrize("function", [span_id, span_id_async, lambda: span_id_async()])
async def test_span_is_the_current_one_inside_the_function(
    function: Callable[[], Any], path: Path, queue: TaskQueue, provider: TracerProvider, exporter: InMemorySpanExporter
) -> None:
    task = await queue.enqueue(function)
    await traced(path, provider)

    (span,) = exporter.get_finished_spans()
    assert span.context is not None
    assert await task == span.context.span_id


async def test_failed_attempt_has_status_and_exception(
    path: Path, queue: TaskQueue, provider: TracerProvider, exporter: InMemorySpanExporter
) -> None:
    await queue.enqueue(fail, SECRET)
    await traced(path, provider)

    (span,) = exporter.get_finished_spans()
    (event,) = span.events
    assert (span.status.status_code, span.status.description) == (trace.StatusCode.ERROR, "ValueError: no")
    assert attributes_of(span)["error.type"] == "ValueError"
    assert dict(event.attributes or {}).items() >= {"exception.type": "ValueError", "exception.message": "no"}.items()
    assert "in fail" in str((event.attributes or {})["exception.stacktrace"])


async def test_each_attempt_of_a_task_has_its_span(
    path: Path, queue: TaskQueue, provider: TracerProvider, exporter: InMemorySpanExporter
) -> None:
    await queue.options(retry=Retry(max_attempts=2, delay=0.0)).enqueue(fail, SECRET)
    await traced(path, provider)

    attempts = [attributes_of(span)["sitq.task.attempt"] for span in exporter.get_finished_spans()]
    assert attempts == [1, 2]


async def test_attempt_out_of_time_is_an_error(
    path: Path, queue: TaskQueue, provider: TracerProvider, exporter: InMemorySpanExporter, gate: Path
) -> None:
    await queue.options(timeout=0.05).enqueue(hold, gate)
    await traced(path, provider)

    (span,) = exporter.get_finished_spans()
    assert attributes_of(span)["error.type"] == "TaskTimeoutError"
    assert span.status.status_code is trace.StatusCode.ERROR


async def test_span_is_part_of_the_producers_trace(
    path: Path, queue: TaskQueue, provider: TracerProvider, exporter: InMemorySpanExporter
) -> None:
    with provider.get_tracer("test").start_as_current_span("order") as order:
        await queue.options(meta={"order": 7, **trace_meta()}).enqueue(echo, 1)
    await traced(path, provider)

    span = exporter.get_finished_spans()[-1]
    assert span.parent is not None
    assert span.parent.span_id == order.get_span_context().span_id


@pytest.mark.parametrize("meta", [None, {}, {"traceparent": 7}, {"traceparent": "nonsense"}])
async def test_task_without_a_trace_begins_one(
    meta: Any, path: Path, queue: TaskQueue, provider: TracerProvider, exporter: InMemorySpanExporter
) -> None:
    await queue.options(meta=meta).enqueue(echo, 1)
    await traced(path, provider)

    (span,) = exporter.get_finished_spans()
    assert span.parent is None


async def test_spans_do_not_tell_arguments_and_values(
    path: Path, queue: TaskQueue, provider: TracerProvider, exporter: InMemorySpanExporter
) -> None:
    await queue.map(echo, [SECRET])
    await queue.map(fail, [SECRET])
    await traced(path, provider)

    assert SECRET not in "".join(span.to_json() for span in exporter.get_finished_spans())


def test_trace_meta_is_empty_outside_of_a_trace() -> None:
    assert trace_meta() == {}


def test_missing_extra_is_said_in_one_line() -> None:
    program = """
import sys
sys.modules["opentelemetry"] = None
try:
    import sitq.otel
except Exception as exc:
    print(type(exc).__name__, exc)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20)

    assert done.stdout == "ConfigurationError sitq.otel needs opentelemetry-api; pip install 'sitq-queue[otel]'\n"
