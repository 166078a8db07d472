"""Several workers on one file: each task is run once, by one of them."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from running import echo, hold, until, until_begun

from sitq.core import TaskStatus
from sitq.queue import TaskQueue
from sitq.worker import Worker

ran: list[int] = []


@pytest.fixture(autouse=True)
def _nothing_ran() -> None:
    ran.clear()


def note(number: int) -> None:
    ran.append(number)


async def note_async(number: int) -> None:
    await asyncio.sleep(0.001)
    ran.append(number)


@pytest.mark.parametrize("function", [note, note_async])
async def test_each_task_is_run_once(function: object, path: Path, queue: TaskQueue) -> None:
    await queue.map(function, range(600))  # type: ignore[arg-type]

    await asyncio.gather(*(Worker(path, max_concurrency=3).run_until_empty(timeout=20) for _ in range(4)))

    assert sorted(ran) == list(range(600))
    assert (await queue.stats()).count(TaskStatus.SUCCESS) == 600


async def test_work_is_shared(path: Path, queue: TaskQueue) -> None:
    tasks = await queue.map(asyncio.sleep, [0.05] * 20)

    await asyncio.gather(*(Worker(path, max_concurrency=2).run_until_empty(timeout=20) for _ in range(2)))

    shares = Counter([attempt.worker for task in tasks for attempt in await queue.attempts(task)])
    assert len(shares) == 2
    assert min(shares.values()) >= 5


async def test_idle_worker_takes_what_a_busy_one_cannot(path: Path, queue: TaskQueue, gate: Path) -> None:
    async with Worker(path, max_concurrency=1, grace=0), Worker(path, max_concurrency=1, grace=0):
        await until_begun(await queue.enqueue(hold, gate))

        assert await (await queue.enqueue(echo, 1)).result(timeout=2.0) == 1


async def test_each_worker_is_listed(path: Path, queue: TaskQueue) -> None:
    async with Worker(path, max_concurrency=3) as first, Worker(path, queues=["mail"]) as second:

        async def both() -> set[str]:
            infos = (await queue.stats()).workers
            return {info.id for info in infos} if len(infos) == 2 else set()

        assert await until(both) == {first.info.id, second.info.id}


async def test_stopping_worker_hands_its_tasks_to_the_other(path: Path, queue: TaskQueue, gate: Path) -> None:
    first = Worker(path, max_concurrency=1)
    serving = asyncio.create_task(first.start())
    task = await queue.enqueue(hold, gate)
    await until_begun(task)
    async with Worker(path, max_concurrency=1):
        await first.stop(grace=0)
        await serving
        gate.touch()

        assert await task.result(timeout=2.0) == "let go"


async def test_lanes_do_not_hold_each_other_up(path: Path, queue: TaskQueue, gate: Path) -> None:
    mail, video = queue.options(queue="mail"), queue.options(queue="video")
    async with (
        Worker(path, queues=["mail"], max_concurrency=1, grace=0),
        Worker(path, queues=["video"], max_concurrency=1, grace=0),
    ):
        await until_begun(await mail.enqueue(hold, gate))
        waiting = await mail.enqueue(echo, 1)

        assert await (await video.enqueue(echo, 2)).result(timeout=2.0) == 2
        assert await waiting.status() is TaskStatus.PENDING
