"""One attempt at a time: a claim in, an outcome out, whatever happens between."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from running import echo, echo_async, hold, hold_thread

from sitq.backends.sqlite import MemoryBackend
from sitq.core import Cause, Claim, Outcome, TaskStatus
from sitq.options import TaskOptions
from sitq.producer.packing import Packer
from sitq.running.reporting import Reports
from sitq.running.runner import Runner, RunSettings
from sitq.serialization import CloudpickleSerializer

Outcomes = asyncio.Queue[Outcome]
SERIALIZER = CloudpickleSerializer()
SETTINGS = RunSettings(
    executor="thread", max_tasks_per_child=None, output_limit=0, context_of=None, middleware=(), traceback_locals=False
)


@pytest.fixture
def outcomes() -> Outcomes:
    return asyncio.Queue()


@pytest.fixture
async def runner(outcomes: Outcomes) -> AsyncIterator[Runner]:
    backend = MemoryBackend()
    runner = Runner(SERIALIZER, outcomes.put_nowait, Reports(backend, limit=0).recorder, backend.inputs, SETTINGS)
    yield runner
    await runner.close()


def claim(function: Callable[..., Any], *args: Any) -> Claim:
    task = Packer(SERIALIZER).pack(TaskOptions(), function, args, {})
    return Claim(id=task.id, attempt=1, name=task.name, queue=task.queue, payload=task.payload, executor=task.executor)


@pytest.mark.parametrize("function", [echo, echo_async])
async def test_outcome_carries_the_value(function: Callable[..., Any], runner: Runner, outcomes: Outcomes) -> None:
    runner.start(claim(function, 42))

    outcome = await asyncio.wait_for(outcomes.get(), timeout=2.0)

    assert (outcome.status, outcome.cause) == (TaskStatus.SUCCESS, Cause.SUCCESS)
    assert SERIALIZER.loads(outcome.value or b"") == 42


@pytest.mark.parametrize("function", [hold, hold_thread])
@pytest.mark.parametrize("cause", [Cause.CANCELLED, Cause.RELEASED])
async def test_attempt_that_is_stopped_before_its_first_step_ends(
    cause: Cause, function: Callable[..., Any], runner: Runner, outcomes: Outcomes, gate: Path
) -> None:
    runner.start(claim(function, gate)).stop(cause)

    outcome = await asyncio.wait_for(outcomes.get(), timeout=2.0)
    gate.touch()

    assert outcome.cause is cause


@pytest.mark.parametrize("function", [hold, hold_thread])
async def test_attempt_that_is_stopped_twice_ends_once(
    function: Callable[..., Any], runner: Runner, outcomes: Outcomes, gate: Path
) -> None:
    attempt = runner.start(claim(function, gate))
    attempt.stop(Cause.CANCELLED)
    attempt.stop(Cause.RELEASED)
    gate.touch()
    await asyncio.sleep(0.1)

    assert [outcomes.get_nowait().cause for _ in range(outcomes.qsize())] == [Cause.CANCELLED]
