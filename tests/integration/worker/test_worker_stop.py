"""How a worker stops: running tasks get the grace, the rest goes back unspent."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from running import begin, echo, hold, hold_thread, until_begun

from sitq.core import Cause, TaskStatus
from sitq.exceptions import ValidationError
from sitq.queue import TaskQueue
from sitq.worker import Worker

BOTH = pytest.mark.parametrize("function", [hold, hold_thread])


async def running_in(worker: Worker, queue: TaskQueue, function: Callable[..., Any], gate: Path) -> Any:
    """Start the worker and let it run one task; returns both."""
    serving = asyncio.create_task(worker.start())
    task = await queue.enqueue(function, gate)
    await until_begun(task)
    return serving, task


@BOTH
async def test_running_task_may_end_within_the_grace(
    function: Callable[..., Any], path: Path, queue: TaskQueue, gate: Path
) -> None:
    worker = Worker(path)
    serving, task = await running_in(worker, queue, function, gate)

    stopping = asyncio.create_task(worker.stop(grace=5.0))
    await asyncio.sleep(0.1)
    gate.touch()
    await asyncio.gather(stopping, serving)

    assert await task.status() is TaskStatus.SUCCESS


@BOTH
async def test_task_that_outlasts_the_grace_is_given_back(
    function: Callable[..., Any], path: Path, queue: TaskQueue, gate: Path
) -> None:
    worker = Worker(path)
    serving, task = await running_in(worker, queue, function, gate)

    begun = time.monotonic()
    await worker.stop(grace=0.2)
    await serving
    gate.touch()

    assert 0.2 <= time.monotonic() - begun < 3.0
    assert await task.status() is TaskStatus.PENDING


@BOTH
async def test_given_back_task_is_charged_to_nothing(
    function: Callable[..., Any], path: Path, queue: TaskQueue, gate: Path
) -> None:
    worker = Worker(path)
    serving, task = await running_in(worker, queue, function, gate)
    await worker.stop(grace=0)
    await serving
    gate.touch()

    info = await task.info()
    assert (info.failures, info.crashes) == (0, 0)
    assert [attempt.cause for attempt in await queue.attempts(task)] == [Cause.RELEASED]


@BOTH
async def test_given_back_task_is_run_by_the_next_worker(
    function: Callable[..., Any], path: Path, queue: TaskQueue, gate: Path
) -> None:
    worker = Worker(path)
    serving, task = await running_in(worker, queue, function, gate)
    await worker.stop(grace=0)
    await serving

    gate.touch()
    await Worker(path).run_until_empty(timeout=5)

    assert await task == "let go"


async def test_task_that_has_not_begun_stays_pending(path: Path, queue: TaskQueue, gate: Path) -> None:
    worker = Worker(path, max_concurrency=1)
    serving, _ = await running_in(worker, queue, hold, gate)
    waiting = await queue.map(echo, range(100))

    await worker.stop(grace=0)
    await serving

    infos = [await task.info() for task in waiting]
    assert {info.status for info in infos if info} == {TaskStatus.PENDING}
    assert [await queue.attempts(task) for task in waiting] == [[]] * 100


async def test_stopping_worker_claims_no_more(path: Path, queue: TaskQueue, gate: Path) -> None:
    worker = Worker(path, max_concurrency=5)
    serving, _ = await running_in(worker, queue, hold, gate)
    stopping = asyncio.create_task(worker.stop(grace=5.0))
    await asyncio.sleep(0)

    late = await queue.enqueue(echo, 1)
    await asyncio.sleep(0.1)
    gate.touch()
    await asyncio.gather(stopping, serving)

    assert await late.status() is TaskStatus.PENDING


async def test_task_that_ends_during_the_grace_does_not_start_the_next(
    path: Path, queue: TaskQueue, gate: Path
) -> None:
    worker = Worker(path, max_concurrency=1)
    first = await queue.map(echo, range(50))
    serving, task = await running_in(worker, queue, hold, gate)
    await asyncio.gather(*first)  # until then it may be claimed ahead only
    rest = await queue.map(echo, range(50))

    stopping = asyncio.create_task(worker.stop(grace=5.0))
    await asyncio.sleep(0.1)
    gate.touch()
    await asyncio.gather(stopping, serving)

    assert await task.status() is TaskStatus.SUCCESS
    assert {await one.status() for one in rest} == {TaskStatus.PENDING}


async def test_shortest_grace_of_two_counts(path: Path, queue: TaskQueue, gate: Path) -> None:
    worker = Worker(path)
    serving, _ = await running_in(worker, queue, hold, gate)

    begun = time.monotonic()
    await asyncio.gather(worker.stop(grace=60.0), worker.stop(grace=0.1), serving)

    assert time.monotonic() - begun < 5.0


async def test_stop_without_running_tasks_needs_no_grace(path: Path) -> None:
    worker = Worker(path, grace=60.0)
    serving = asyncio.create_task(worker.start())
    await asyncio.sleep(0.1)

    begun = time.monotonic()
    await worker.stop()
    await serving

    assert time.monotonic() - begun < 5.0


async def test_stop_before_start_is_remembered(path: Path, queue: TaskQueue) -> None:
    task = await queue.enqueue(echo, 1)
    worker = Worker(path)
    await worker.stop()

    await asyncio.wait_for(worker.start(), timeout=2.0)

    assert await task.status() is TaskStatus.PENDING


async def test_stop_right_after_start_was_scheduled_ends_it(path: Path) -> None:
    worker = Worker(path)
    serving = asyncio.create_task(worker.start())

    await worker.stop()

    await asyncio.wait_for(serving, timeout=2.0)


async def test_stop_while_it_connects_ends_it(path: Path) -> None:
    worker = Worker(path)
    serving = asyncio.create_task(worker.start())
    await asyncio.sleep(0)

    await asyncio.wait_for(worker.stop(), timeout=2.0)

    await asyncio.wait_for(serving, timeout=2.0)


async def test_stop_returns_when_the_worker_has_ended(path: Path) -> None:
    worker = Worker(path)
    serving = asyncio.create_task(worker.start())
    await asyncio.sleep(0.05)

    await worker.stop()

    assert serving.done()


async def test_negative_grace_is_refused(path: Path) -> None:
    with pytest.raises(ValidationError, match="grace must be 0 seconds or more, got -1"):
        await Worker(path).stop(grace=-1)


async def never_stop(gate: Path) -> None:
    begin()
    while not gate.exists():
        try:
            await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            continue


async def test_coroutine_that_will_not_stop_is_left_behind(path: Path, queue: TaskQueue, gate: Path) -> None:
    worker = Worker(path)
    serving, task = await running_in(worker, queue, never_stop, gate)

    await asyncio.wait_for(worker.stop(grace=0), timeout=4.0)
    await serving
    gate.touch()
    await asyncio.sleep(0.05)

    assert await task.status() is TaskStatus.PENDING


async def test_stopped_worker_is_no_longer_listed_as_alive(path: Path, queue: TaskQueue) -> None:
    async with Worker(path):
        await (await queue.enqueue(echo, 1))
        assert [info.alive for info in (await queue.stats()).workers] == [True]

    assert not any(info.alive for info in (await queue.stats()).workers)
