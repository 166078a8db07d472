"""Workers on a NATS server that are killed or frozen: no task is lost, and none runs again without need."""

import asyncio
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from contract.builders import eventually
from napping import make_nap, until_running
from processes import Program, Programs

from sitq.core import Cause, TaskStatus
from sitq.queue import TaskQueue
from sitq.views import TaskQuery

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals that stop and kill")


@pytest.fixture
def start_worker(url: str, programs: Programs) -> Callable[..., Program]:
    return partial(programs.start_worker, url)


async def value_of(queue: TaskQueue, task: str) -> Any:
    result = await queue.get_result(task, timeout=15.0)
    assert result is not None
    return queue.deserialize_result(result)


async def test_killed_workers_task_begins_again_at_once(queue: TaskQueue, start_worker: Callable[..., Program]) -> None:
    victim = start_worker()
    task = await queue.enqueue(make_nap(), 3.0)  # as long as another worker may take to start on a busy machine
    await until_running(queue, task)
    heir = start_worker()

    victim.send(signal.SIGKILL)
    killed_at = time.time()

    assert await value_of(queue, task) == heir.pid
    first, second = await queue.attempts(task)
    assert first.cause is Cause.LOST
    assert second.started_at is not None
    assert second.started_at.timestamp() - killed_at < 2.5


@pytest.mark.slow
async def test_frozen_workers_late_outcome_is_refused(queue: TaskQueue, start_worker: Callable[..., Program]) -> None:
    frozen = start_worker(lease=0.6)
    task = await queue.enqueue(make_nap(), 3.0)
    await until_running(queue, task)
    heir = start_worker(lease=0.6)
    frozen.send(signal.SIGSTOP)
    before = await value_of(queue, task)

    frozen.send(signal.SIGCONT)
    await asyncio.sleep(3.5)

    assert before == await value_of(queue, task) == heir.pid
    assert [attempt.cause for attempt in await queue.attempts(task)] == [Cause.LOST, Cause.SUCCESS]


@pytest.mark.slow
async def test_killed_workers_lose_no_task_and_no_other_task_runs_again(
    queue: TaskQueue, start_worker: Callable[..., Program]
) -> None:
    tasks = await queue.enqueue_many(make_nap(), [(0.05,)] * 600)
    workers, killed = [start_worker() for _ in range(3)], set()
    for _ in range(6):
        await asyncio.sleep(0.2)
        victim = workers.pop(0)
        victim.send(signal.SIGKILL)
        killed.add(victim.pid)
        workers.append(await asyncio.to_thread(start_worker))

    async def ended() -> bool:
        return (await queue.stats()).count(TaskStatus.SUCCESS) == len(tasks)

    assert await eventually(ended, within=60.0)
    pids = {worker.id: worker.pid for worker in (await queue.stats()).workers}
    infos = await queue.list_tasks(TaskQuery(limit=10_000))
    assert {info.status for info in infos} == {TaskStatus.SUCCESS}
    for info in infos:
        *earlier, _ = await queue.attempts(info.id)
        assert {attempt.cause for attempt in earlier} <= {Cause.LOST}
        assert {pids[str(attempt.worker)] for attempt in earlier} <= killed
