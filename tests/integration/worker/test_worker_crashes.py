"""Tasks whose worker died: run again by the next worker, until they have killed as many as they may."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from running import echo, result_of

from sitq.backends.sqlite import SQLiteBackend
from sitq.core import Cause, TaskStatus
from sitq.exceptions import TaskLostError
from sitq.queue import TaskQueue
from sitq.running.slots import MAX_CRASHES
from sitq.worker import Worker

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells here whether a process is surely dead"
)


async def crash(path: Path, times: int) -> None:
    """Let so many workers claim what is due and die, one after another."""
    async with SQLiteBackend(path) as backend:
        for _ in range(times):
            info = Worker(path).info
            boot, namespace, _ = info.process.split("/")
            dead = replace(info, process=f"{boot}/{namespace}/0")
            await backend.heartbeat(dead, {}, lease=3600.0)
            async with backend.twin() as fresh:  # one that has not looked for the dead a moment ago
                assert await fresh.claim(dead.id, None, limit=10, lease=3600.0)


async def test_task_of_a_dead_worker_runs_again(path: Path, queue: TaskQueue) -> None:
    task = await queue.enqueue(echo, "alive")
    await crash(path, 1)

    await Worker(path).run_until_empty(timeout=5)

    assert await task == "alive"
    assert [one.cause for one in await queue.attempts(task)] == [Cause.LOST, Cause.SUCCESS]


async def test_crashes_are_not_charged_to_the_policy(path: Path, queue: TaskQueue) -> None:
    task = await queue.options(retry=1).enqueue(echo, "alive")
    await crash(path, MAX_CRASHES - 1)

    await Worker(path).run_until_empty(timeout=5)

    assert await task == "alive"


async def test_task_that_killed_too_many_workers_never_runs_again(path: Path, queue: TaskQueue, gate: Path) -> None:
    task = await queue.enqueue(Path.touch, gate)
    await crash(path, MAX_CRASHES)

    await Worker(path).run_until_empty(timeout=5)

    assert (await result_of(queue, task)).status is TaskStatus.FAILED
    assert not gate.exists()


async def test_awaiting_a_task_that_killed_too_many_workers_raises(path: Path, queue: TaskQueue) -> None:
    task = await queue.enqueue(echo, 1)
    await crash(path, MAX_CRASHES)
    await Worker(path).run_until_empty(timeout=5)

    with pytest.raises(TaskLostError, match=f"its worker died {MAX_CRASHES} times"):
        await task


async def test_task_that_killed_too_many_workers_runs_again_when_requeued(path: Path, queue: TaskQueue) -> None:
    task = await queue.enqueue(echo, 1)
    await crash(path, MAX_CRASHES)
    worker = Worker(path)
    await worker.run_until_empty(timeout=5)

    await task.requeue()
    await worker.run_until_empty(timeout=5)

    assert await task == 1
