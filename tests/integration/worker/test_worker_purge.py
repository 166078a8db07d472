"""A worker removes what has been kept long enough, beside its tasks."""

import asyncio
import logging
import time
from pathlib import Path

import pytest
from running import echo, until

from sitq.backends.sqlite import SQLiteBackend
from sitq.purging import Purger
from sitq.queue import TaskQueue
from sitq.worker import Worker

SHORT, LONG = 0.01, 3600.0


async def finish(path: Path, queue: TaskQueue, count: int, retention: float | None) -> list[str]:
    """Run tasks to their end, and wait until a short retention is over."""
    tasks = await queue.options(retention=retention).enqueue_many(echo, [(number,) for number in range(count)])
    await Worker(path, max_concurrency=100).run_until_empty(timeout=10)
    await asyncio.sleep(2 * SHORT)
    return [str(task) for task in tasks]


async def until_left(queue: TaskQueue, count: int) -> None:
    async def reached() -> bool:
        return len(await queue.list_tasks()) == count

    await until(reached)


async def test_worker_removes_tasks_whose_retention_is_over(path: Path, queue: TaskQueue) -> None:
    await finish(path, queue, 3, SHORT)
    kept = [*await finish(path, queue, 1, LONG), *await finish(path, queue, 1, None)]

    async with Worker(path):
        await until_left(queue, 2)

    assert {info.id for info in await queue.list_tasks()} == set(kept)


async def test_worker_removes_more_than_one_slice(path: Path, queue: TaskQueue) -> None:
    await finish(path, queue, 1700, SHORT)

    async with Worker(path):
        await until_left(queue, 0)


async def test_workers_on_one_store_share_the_work(path: Path, queue: TaskQueue) -> None:
    await finish(path, queue, 3000, SHORT)
    kept = await finish(path, queue, 10, LONG)

    async with Worker(path), Worker(path), Worker(path):
        await until_left(queue, 10)

    assert {info.id for info in await queue.list_tasks()} == set(kept)
    assert (await queue.stats()).queues[0].success == 10


async def test_worker_that_purges_goes_on_with_its_tasks(path: Path, queue: TaskQueue) -> None:
    await finish(path, queue, 3000, SHORT)

    async with Worker(path):
        assert [await task for task in await queue.map(echo, range(50))] == list(range(50))


async def test_worker_that_purges_stops_at_once(path: Path, queue: TaskQueue) -> None:
    await finish(path, queue, 5000, SHORT)
    worker = Worker(path)
    async with worker:
        begun = time.monotonic()
        await worker.stop()

    assert time.monotonic() - begun < 1.0
    assert await queue.list_tasks()


async def test_purger_looks_again_and_again(path: Path, queue: TaskQueue) -> None:
    async with SQLiteBackend(path) as backend:
        purger = Purger(backend, "w", look=0.02)
        purger.start()
        for _ in range(2):
            await finish(path, queue, 2, SHORT)
            await until_left(queue, 0)
        await purger.stop()


async def test_purger_outlives_trouble_with_the_store(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    backend = SQLiteBackend(path)
    purger = Purger(backend, "w", look=0.02)
    purger.start()
    await asyncio.sleep(0.05)
    async with backend, TaskQueue(backend) as queue:
        await finish(path, queue, 2, SHORT)
        await until_left(queue, 0)
        await purger.stop()

    first = caplog.records[0]
    assert (first.name, first.levelno) == ("sitq.purging", logging.WARNING)
    assert first.getMessage().startswith(f"worker w: purge failed: {path} is not open")
