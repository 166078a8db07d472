"""Worker processes on one Redis server: killed ones lose no task, and no other task runs again."""

import asyncio
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from functools import partial

import pytest
from napping import make_nap, until_running
from processes import Program, Programs

from sitq.core import Cause, TaskStatus
from sitq.queue import TaskQueue

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals that kill")


@pytest.fixture
async def queue(url: str) -> AsyncIterator[TaskQueue]:
    async with TaskQueue(url) as queue:
        yield queue


@pytest.fixture
def start_worker(url: str, programs: Programs) -> Callable[..., Program]:
    return partial(programs.start_worker, url)


async def test_killed_workers_task_begins_again_soon(queue: TaskQueue, start_worker: Callable[..., Program]) -> None:
    victim = start_worker()
    task = await queue.enqueue(make_nap(), 3.0)
    await until_running(queue, task)
    start_worker()

    victim.send(signal.SIGKILL)
    killed_at = time.time()
    async with asyncio.timeout(10.0):
        while len(attempts := await queue.attempts(task)) < 2:
            await asyncio.sleep(0.02)

    assert attempts[0].cause is Cause.LOST
    assert time.time() - killed_at < 2.5


async def kill_at_random(start_worker: Callable[..., Program], times: int) -> set[int]:
    """Kill one of two workers at random moments, each time with another one in its place, and tell their pids."""
    chance = random.Random(times)
    workers = [start_worker(), start_worker()]
    killed = set()
    for _ in range(times):
        await asyncio.sleep(chance.uniform(0.05, 0.3))
        victim = workers.pop(chance.randrange(2))
        victim.send(signal.SIGKILL)
        killed.add(victim.pid)
        workers.append(await asyncio.to_thread(start_worker))
    return killed


@pytest.mark.parametrize("times", [2, pytest.param(20, marks=pytest.mark.slow)])
async def test_killed_workers_lose_no_task_and_no_other_task_runs_again(
    queue: TaskQueue, start_worker: Callable[..., Program], times: int
) -> None:
    tasks = await queue.enqueue_many(make_nap(), [(0.05,)] * (150 * times))
    killed = await kill_at_random(start_worker, times)
    async with asyncio.timeout(20.0 + 3 * times):
        while (await queue.stats()).count(TaskStatus.SUCCESS) < len(tasks):
            await asyncio.sleep(0.05)

    pids = {worker.id: worker.pid for worker in (await queue.stats()).workers}
    lost = [attempt for task in tasks for attempt in (await queue.attempts(task))[:-1]]
    assert {attempt.cause for attempt in lost} == {Cause.LOST}
    assert {pids[attempt.worker or ""] for attempt in lost} <= killed
