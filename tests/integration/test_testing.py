"""What sitq gives to the tests of others: a queue that runs at once, a worker that ends, a clock to set."""

import asyncio
import time
from pathlib import Path

import pytest

from sitq import Retry, SerializationError, SQLiteBackend, SyncTaskQueue, TaskQuery, TaskQueue, ValidationError, Worker
from sitq.testing import Clock, EagerBackend, run_until_empty, run_until_empty_sync
from sitq.testing import task_queue as task_queue

DAY = 86_400.0


def double(number: int) -> int:
    return 2 * number


def fail() -> None:
    raise ValueError("no")


async def test_fixture_gives_a_queue_of_the_tests_own(task_queue: TaskQueue, tmp_path: Path) -> None:
    handle = await task_queue.enqueue(double, 21)

    await run_until_empty(task_queue)

    assert await handle == 42
    assert (tmp_path / "tasks.db").exists()


def test_blocking_queue_is_emptied_too(tmp_path: Path) -> None:
    with SyncTaskQueue(tmp_path / "tasks.db") as queue:
        task_id = queue.enqueue(double, 21)

        run_until_empty_sync(queue)

        assert queue.get_result(task_id, timeout=5) == 42


async def test_worker_that_does_not_end_is_given_up(task_queue: TaskQueue) -> None:
    await task_queue.enqueue(asyncio.sleep, 60)

    with pytest.raises(TimeoutError):
        await run_until_empty(task_queue, timeout=0.1)


async def test_eager_queue_has_run_a_call_when_enqueue_returns() -> None:
    async with TaskQueue(EagerBackend()) as queue:
        handle = await queue.enqueue(double, 21)

        assert await handle.status() == "success"
        assert await handle == 42


async def test_eager_queue_keeps_failures_as_results() -> None:
    async with TaskQueue(EagerBackend()) as queue:
        result = await queue.get_result(await queue.enqueue(fail))

    assert result is not None and result.error == "ValueError: no"


async def test_eager_queue_sends_calls_through_the_serializer() -> None:
    async with TaskQueue(EagerBackend()) as queue:
        with pytest.raises(SerializationError, match="generator"):
            await queue.enqueue(double, (number for number in range(3)))


async def enqueue_more() -> None:
    async with TaskQueue(":memory:") as queue:
        await queue.options(name="inner").enqueue(double, 4)


async def test_eager_queue_runs_what_a_task_enqueues() -> None:
    async with TaskQueue(EagerBackend()) as queue:
        await queue.enqueue(enqueue_more)

        (inner,) = await queue.list_tasks(TaskQuery(name="inner"))
        assert inner.status == "success"


async def test_eager_queue_leaves_what_is_scheduled(tmp_path: Path) -> None:
    async with TaskQueue(EagerBackend()) as queue:
        handle = await queue.options(delay=DAY).enqueue(double, 1)

        assert await handle.status() == "pending"


async def test_clock_brings_what_is_scheduled_forward(tmp_path: Path) -> None:
    clock = Clock()
    async with TaskQueue(SQLiteBackend(tmp_path / "tasks.db", clock=clock)) as queue:
        handle = await queue.options(delay=DAY).enqueue(double, 21)
        await run_until_empty(queue)
        before = await handle.status()

        clock.advance(DAY)
        await run_until_empty(queue)

        assert (before, await handle) == ("pending", 42)


async def test_waiting_worker_notices_the_clock(tmp_path: Path) -> None:
    clock = Clock()
    async with TaskQueue(SQLiteBackend(tmp_path / "tasks.db", clock=clock)) as queue, Worker(queue.backend):
        handle = await queue.options(delay=DAY).enqueue(double, 21)
        await asyncio.sleep(0.05)

        clock.advance(DAY)

        assert await handle.result(timeout=2) == 42


async def test_clock_ends_back_offs_expiries_and_retentions(tmp_path: Path) -> None:
    clock = Clock()
    async with TaskQueue(SQLiteBackend(tmp_path / "tasks.db", clock=clock)) as queue:
        retried = await queue.options(retry=Retry(max_attempts=2, delay=DAY)).enqueue(fail)
        expiring = await queue.options(delay=2 * DAY, expires=3 * DAY).enqueue(double, 1)
        kept = await queue.options(retention=DAY).enqueue(double, 1)
        await run_until_empty(queue)

        clock.advance(4 * DAY)
        await run_until_empty(queue)

        assert [await handle.status() for handle in (retried, expiring)] == ["failed", "cancelled"]
        await queue.purge()
        assert await kept.status() is None


def test_clock_goes_on_by_itself_and_never_back() -> None:
    clock = Clock()
    clock.advance(DAY)

    assert clock() == pytest.approx(time.time() + DAY, abs=1)
    with pytest.raises(ValidationError, match="seconds must be 0 seconds or more"):
        clock.advance(-1)
