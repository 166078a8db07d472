"""Handles in the order in which their tasks end."""

import asyncio
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sitq.core import TaskStatus
from sitq.queue import TaskQueue
from sitq.worker import Worker

Drain = Callable[[], Any]


def fail() -> None:
    raise ValueError("no")


async def test_handles_come_as_their_tasks_end(queue: TaskQueue, worker: Worker) -> None:
    tasks = await queue.map(asyncio.sleep, [0.4, 0.0, 0.2], ["last", "first", "middle"])

    values = [await task async for task in queue.as_completed(tasks)]

    assert values == ["first", "middle", "last"]


async def test_ended_tasks_come_at_once(queue: TaskQueue, drain: Drain) -> None:
    tasks = await queue.map(abs, range(20))
    await drain()

    async with asyncio.timeout(2.0):
        assert {task async for task in queue.as_completed(tasks)} == set(tasks)


async def test_failed_and_cancelled_tasks_come_too(queue: TaskQueue, drain: Drain) -> None:
    failed, cancelled = await queue.enqueue(fail), await queue.enqueue(abs, 1)
    await cancelled.cancel()
    await drain()

    ended = [task async for task in queue.as_completed([failed, cancelled])]

    assert {await task.status() for task in ended} == {TaskStatus.FAILED, TaskStatus.CANCELLED}


async def test_no_handles_end_at_once(queue: TaskQueue) -> None:
    assert [task async for task in queue.as_completed([])] == []


async def test_handle_given_twice_comes_once(queue: TaskQueue, drain: Drain) -> None:
    task = await queue.enqueue(abs, 1)
    await drain()

    assert [one async for one in queue.as_completed([task, task])] == [task]


async def test_unknown_handle_comes_at_once(queue: TaskQueue) -> None:
    waiting, unknown = await queue.enqueue(abs, 1), queue.handle("unknown")

    completed = queue.as_completed([waiting, unknown])

    assert await asyncio.wait_for(anext(completed), timeout=1.0) == "unknown"
    await completed.aclose()


async def test_more_tasks_may_be_enqueued_meanwhile(queue: TaskQueue, worker: Worker) -> None:
    more = []
    async for task in queue.as_completed(await queue.map(abs, [-1, -2])):
        more.append(await queue.enqueue(abs, await task))

    assert sorted([await task for task in more]) == [1, 2]


async def test_leaving_early_leaves_nobody_waiting(path: Path) -> None:
    async with TaskQueue(path) as queue, Worker(path, grace=0):
        tasks = await queue.map(asyncio.sleep, [0.0, 60.0, 60.0])
        async for _ in queue.as_completed(tasks):
            break
        before = asyncio.all_tasks()
        await asyncio.sleep(0.05)

        assert not [task for task in asyncio.all_tasks() if task in before and "ResultWatcher.wait" in repr(task)]


async def test_store_that_closes_raises_once(queue: TaskQueue, caplog: pytest.LogCaptureFixture) -> None:
    tasks = await queue.map(abs, range(3))
    waiting = asyncio.create_task(anext(queue.as_completed(tasks)))
    await asyncio.sleep(0.05)
    await queue.backend.close()

    with pytest.raises(Exception, match="not open"):
        await asyncio.wait_for(waiting, timeout=3.0)
    del waiting
    gc.collect()
    await asyncio.sleep(0)
    assert "never retrieved" not in caplog.text
