"""Worker processes that are killed or frozen: no task is lost, and each lost attempt is told as such."""

import asyncio
import random
import signal
import sys
import time
from collections.abc import Callable
from functools import partial

import pytest
from napping import until_running
from processes import Program, Programs

from sitq import TaskQueue
from sitq.core import Cause
from sitq.views import TaskQuery

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a dead process is known by its lease alone")


@pytest.fixture
def start_worker(url: str, programs: Programs) -> Callable[..., Program]:
    return partial(programs.start_worker, url)


def make_nap() -> Callable[[float, int], int]:
    """A function that travels by value."""

    def nap(seconds: float, number: int) -> int:
        time.sleep(seconds)
        return number

    return nap


async def test_killed_workers_task_goes_to_another_at_once(
    queue: TaskQueue, start_worker: Callable[..., Program]
) -> None:
    victim = start_worker(lease=600)
    task = await queue.enqueue(make_nap(), 1.0, 7)
    await until_running(queue, task)
    start_worker()
    killed = time.monotonic()
    victim.send(signal.SIGKILL)

    assert await task.result(timeout=10) == 7
    assert time.monotonic() - killed < 4
    assert [attempt.cause for attempt in await queue.attempts(task)] == [Cause.LOST, Cause.SUCCESS]


@pytest.mark.slow
async def test_workers_killed_at_random_lose_no_task(queue: TaskQueue, start_worker: Callable[..., Program]) -> None:
    tasks = await queue.enqueue_many(make_nap(), [(0.02, number) for number in range(2000)])
    chance = random.Random(7)
    workers = [start_worker(), start_worker()]
    for _ in range(8):
        await asyncio.sleep(chance.uniform(0.05, 0.5))
        workers.pop(chance.randrange(2)).send(signal.SIGKILL)
        workers.append(await asyncio.to_thread(start_worker))

    assert [await task.result(timeout=60) for task in tasks] == list(range(2000))
    infos = await queue.list_tasks(TaskQuery(limit=2000))
    assert {info.failures for info in infos} == {0}
    assert all(info.attempt == info.crashes + 1 for info in infos)
    assert any(info.crashes for info in infos)


@pytest.mark.slow
async def test_frozen_workers_late_outcome_is_refused(queue: TaskQueue, start_worker: Callable[..., Program]) -> None:
    frozen = start_worker(lease=0.6)
    task = await queue.enqueue(make_nap(), 0.8, 7)
    await until_running(queue, task)
    start_worker(lease=0.6)
    frozen.send(signal.SIGSTOP)
    await task.result(timeout=10)

    frozen.send(signal.SIGCONT)
    await asyncio.sleep(1.0)

    assert [attempt.cause for attempt in await queue.attempts(task)] == [Cause.LOST, Cause.SUCCESS]
    assert "was taken over; its outcome is dropped" in frozen.out
