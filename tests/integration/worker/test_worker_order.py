"""Which task comes next: by priority, then by age, not before its time, and of the worker's lanes only."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from running import echo, until_status

from sitq.core import TaskStatus
from sitq.queue import TaskQueue
from sitq.worker import Worker

HOUR = 3600.0
order: list[str] = []


@pytest.fixture(autouse=True)
def _empty_order() -> None:
    order.clear()


def note(word: str) -> None:
    order.append(word)


async def test_higher_priority_runs_first(path: Path, queue: TaskQueue) -> None:
    for priority in (0, -5, 7, 3):
        await queue.options(priority=priority).enqueue(note, str(priority))

    await Worker(path, max_concurrency=1).run_until_empty(timeout=5)

    assert order == ["7", "3", "0", "-5"]


async def test_equal_priorities_run_in_the_order_of_enqueueing(path: Path, queue: TaskQueue) -> None:
    words = [str(number) for number in range(50)]
    await queue.map(note, words)

    await Worker(path, max_concurrency=1).run_until_empty(timeout=5)

    assert order == words


async def test_task_waits_for_its_eta(queue: TaskQueue, worker: Worker) -> None:
    eta = datetime.now(UTC) + timedelta(seconds=0.3)

    started_at = await (await queue.enqueue(time.time, eta=eta))

    assert 0 <= started_at - eta.timestamp() < 0.3


async def test_task_waits_for_its_delay(queue: TaskQueue, worker: Worker) -> None:
    enqueued_at = time.time()

    started_at = await (await queue.options(delay=0.3).enqueue(time.time))

    assert 0.3 <= started_at - enqueued_at < 0.6


async def test_task_of_the_far_future_stays_pending(path: Path, queue: TaskQueue) -> None:
    task = await queue.options(delay=HOUR).enqueue(echo, 1)

    await Worker(path).run_until_empty(timeout=5)

    assert await task.status() is TaskStatus.PENDING


async def test_task_that_expired_never_runs(path: Path, queue: TaskQueue) -> None:
    task = await queue.options(expires=0.01).enqueue(note, "too late")
    await asyncio.sleep(0.05)

    await Worker(path).run_until_empty(timeout=5)

    assert await task.status() is TaskStatus.CANCELLED
    assert order == []


async def test_worker_serves_its_lanes_only(path: Path, queue: TaskQueue) -> None:
    for lane in ("mail", "video", "sound"):
        await queue.options(queue=lane).enqueue(note, lane)

    await Worker(path, queues=["mail", "sound"]).run_until_empty(timeout=5)

    assert sorted(order) == ["mail", "sound"]


async def test_worker_without_lanes_serves_all(path: Path, queue: TaskQueue) -> None:
    for lane in ("mail", "video", "sound"):
        await queue.options(queue=lane).enqueue(note, lane)

    await Worker(path).run_until_empty(timeout=5)

    assert sorted(order) == ["mail", "sound", "video"]


async def test_worker_of_a_lane_is_woken_by_its_task(path: Path, queue: TaskQueue) -> None:
    async with Worker(path, queues=["mail"], poll_interval=60.0):
        await asyncio.sleep(0.1)

        assert await (await queue.options(queue="mail").enqueue(echo, 1)).result(timeout=2.0) == 1


async def test_priority_counts_across_lanes(path: Path, queue: TaskQueue) -> None:
    await queue.options(queue="mail", priority=1).enqueue(note, "mail")
    await queue.options(queue="video", priority=2).enqueue(note, "video")

    await Worker(path, max_concurrency=1, queues=["mail", "video"]).run_until_empty(timeout=5)

    assert order == ["video", "mail"]


async def test_paused_lane_waits_until_it_is_resumed(queue: TaskQueue, worker: Worker) -> None:
    await queue.pause("mail")
    paused = await queue.options(queue="mail").enqueue(note, "mail")
    await (await queue.enqueue(note, "other"))
    assert order == ["other"]

    await queue.resume("mail")

    await until_status(queue, paused, TaskStatus.SUCCESS)
