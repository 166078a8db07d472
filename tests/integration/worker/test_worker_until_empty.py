"""A worker that ends by itself, when nothing is due and nothing runs."""

import asyncio
import time
from pathlib import Path

import pytest
from running import echo, hold, hold_thread, until_begun

from sitq.core import TaskStatus
from sitq.queue import TaskQueue
from sitq.retry import Retry
from sitq.worker import Worker


async def test_empty_store_ends_it_at_once(path: Path) -> None:
    begun = time.monotonic()

    await Worker(path, poll_interval=60.0, grace=60.0).run_until_empty()

    assert time.monotonic() - begun < 3.0


@pytest.mark.parametrize("limit", [1, 10])
async def test_all_due_tasks_are_run(limit: int, path: Path, queue: TaskQueue) -> None:
    tasks = await queue.map(echo, range(300))

    await Worker(path, max_concurrency=limit).run_until_empty(timeout=10)

    assert [await task for task in tasks] == list(range(300))


async def test_running_tasks_are_waited_for(path: Path, queue: TaskQueue) -> None:
    task = await queue.enqueue(asyncio.sleep, 0.2, "slept")

    await Worker(path).run_until_empty(timeout=5)

    assert await task.status() is TaskStatus.SUCCESS


async def add_more(path: Path, number: int) -> None:
    async with TaskQueue(path) as queue:
        if number:
            await queue.enqueue(add_more, path, number - 1)


async def test_tasks_that_tasks_enqueued_are_run(path: Path, queue: TaskQueue) -> None:
    await queue.enqueue(add_more, path, 5)

    await Worker(path, max_concurrency=1).run_until_empty(timeout=5)

    assert (await queue.stats()).count(TaskStatus.SUCCESS) == 6


async def test_tasks_of_other_lanes_are_not_waited_for(path: Path, queue: TaskQueue) -> None:
    other = await queue.options(queue="video").enqueue(echo, 1)

    await Worker(path, queues=["mail"]).run_until_empty(timeout=2)

    assert await other.status() is TaskStatus.PENDING


def fail() -> None:
    raise ValueError


async def test_retries_that_are_not_due_are_not_waited_for(path: Path, queue: TaskQueue) -> None:
    task = await queue.options(retry=Retry(3, delay=60.0)).enqueue(fail)

    await Worker(path).run_until_empty(timeout=5)

    assert await task.status() is TaskStatus.PENDING


@pytest.mark.parametrize("function", [hold, hold_thread])
async def test_time_that_is_up_raises_and_gives_back(
    function: object, path: Path, queue: TaskQueue, gate: Path
) -> None:
    task = await queue.enqueue(function, gate)  # type: ignore[arg-type]

    with pytest.raises(TimeoutError):
        await Worker(path).run_until_empty(timeout=0.2)
    gate.touch()

    assert await task.status() is TaskStatus.PENDING


async def test_task_given_back_when_the_time_was_up_runs_later(path: Path, queue: TaskQueue, gate: Path) -> None:
    task = await queue.enqueue(hold, gate)
    worker = Worker(path)
    with pytest.raises(TimeoutError):
        await worker.run_until_empty(timeout=0.1)

    gate.touch()
    await worker.run_until_empty(timeout=5)

    assert await task == "let go"


async def test_stop_ends_it(path: Path, queue: TaskQueue, gate: Path) -> None:
    worker = Worker(path)
    serving = asyncio.create_task(worker.run_until_empty())
    task = await queue.enqueue(hold, gate)
    await until_begun(task)

    await worker.stop(grace=0)
    await serving

    assert await task.status() is TaskStatus.PENDING
