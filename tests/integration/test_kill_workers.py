"""Workers that are killed, frozen or told to stop: no task is lost, none is done twice without need."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from contract.builders import eventually
from napping import make_nap, until_running
from processes import Program, Programs

from sitq.context import current_task
from sitq.core import Cause, TaskStatus, WorkerInfo
from sitq.exceptions import TaskLostError
from sitq.queue import TaskQueue
from sitq.views import Attempt, TaskInfo, TaskQuery

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals that stop and kill")


@pytest.fixture
async def queue(path: Path) -> AsyncIterator[TaskQueue]:
    async with TaskQueue(path) as queue:
        yield queue


@pytest.fixture
def start_worker(path: Path, programs: Programs) -> Callable[..., Program]:
    return partial(programs.start_worker, path)


def make_spin() -> Callable[[], None]:
    """A function that travels by value: it tells its process and that of a program it started, and never ends."""

    def spin() -> None:
        program = subprocess.Popen(["sleep", "600"])
        print(os.getpid(), program.pid, flush=True)
        while True:
            pass

    return spin


def make_long_c_call() -> Callable[[], None]:
    """As `spin`, but it never comes back to Python."""

    def call() -> None:
        import ctypes

        program = subprocess.Popen(["sleep", "600"])
        print(os.getpid(), program.pid, flush=True)
        ctypes.PyDLL(None).sleep(600)  # PyDLL keeps the GIL

    return call


def make_marked_nap(folder: Path) -> Callable[[float], None]:
    """A function that travels by value: it sleeps, and leaves a file named after its task when it begins."""

    def nap(seconds: float) -> None:
        task = current_task()
        assert task is not None
        (folder / task.id).touch()
        time.sleep(seconds)

    return nap


async def until_begun(folder: Path, *task_ids: str) -> None:
    """Wait until these marked naps have begun: they are running from their claim on."""

    async def begun() -> bool:
        return all((folder / task_id).exists() for task_id in task_ids)

    assert await eventually(begun, within=15.0)


async def info_of(queue: TaskQueue, task_id: str) -> TaskInfo:
    info = await queue.get_task(task_id)
    assert info is not None
    return info


async def until_status(queue: TaskQueue, task_id: str, status: TaskStatus) -> TaskInfo:
    async def reached() -> TaskInfo | None:
        info = await info_of(queue, task_id)
        return info if info.status is status else None

    found = await eventually(reached, within=15.0)
    assert found is not None
    return found


async def until_all_ended(queue: TaskQueue, timeout: float) -> None:
    async def ended() -> bool:
        stats = await queue.stats()
        return not stats.count(TaskStatus.PENDING) + stats.count(TaskStatus.RUNNING)

    assert await eventually(ended, within=timeout)


async def worker_info(queue: TaskQueue, program: Program) -> WorkerInfo:
    (info,) = [info for info in (await queue.stats()).workers if info.pid == program.pid]
    return info


async def value_of(queue: TaskQueue, task_id: str) -> Any:
    result = await queue.get_result(task_id, timeout=15.0)
    assert result is not None
    return queue.deserialize_result(result)


async def test_killed_workers_task_begins_again_within_a_second(
    queue: TaskQueue, start_worker: Callable[..., Program]
) -> None:
    victim = start_worker()
    task = await queue.enqueue(make_nap(), 0.5)
    await until_running(queue, task)
    heir = start_worker()

    victim.send(signal.SIGKILL)
    killed_at = time.time()

    assert await value_of(queue, task) == heir.pid
    _, second = await queue.attempts(task)
    assert second.started_at is not None
    assert second.started_at.timestamp() - killed_at < 1.0


async def test_killed_worker_is_charged_to_crashes_alone(
    queue: TaskQueue, start_worker: Callable[..., Program]
) -> None:
    victim = start_worker()
    task = await queue.enqueue(make_nap(), 0.3)
    await until_running(queue, task)

    victim.send(signal.SIGKILL)
    victim.wait()
    start_worker()

    info = await until_status(queue, task, TaskStatus.SUCCESS)
    assert (info.attempt, info.crashes, info.failures, info.max_attempts) == (2, 1, 0, 1)


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


def pid_of(attempt: Attempt, workers: dict[str, int]) -> int:
    assert attempt.worker is not None
    return workers[attempt.worker]


@pytest.mark.parametrize("times", [3, pytest.param(20, marks=pytest.mark.slow)])
async def test_killed_workers_lose_no_task_and_no_other_task_runs_again(
    queue: TaskQueue, start_worker: Callable[..., Program], times: int
) -> None:
    tasks = await queue.enqueue_many(make_nap(), [(0.05,)] * (150 * times))
    killed = await kill_at_random(start_worker, times)
    await until_all_ended(queue, timeout=20.0 + 3 * times)

    pids = {worker.id: worker.pid for worker in (await queue.stats()).workers}
    assert len(await queue.list_tasks(TaskQuery(statuses=(TaskStatus.SUCCESS,), limit=10_000))) == len(tasks)
    lost = 0
    for task in tasks:
        *earlier, last = await queue.attempts(task)
        lost += len(earlier)
        assert {attempt.cause for attempt in earlier} <= {Cause.LOST}
        assert {pid_of(attempt, pids) for attempt in earlier} <= killed
        assert await value_of(queue, task) == pid_of(last, pids)
    assert lost > 0


async def test_frozen_workers_task_goes_to_another_and_its_late_outcome_is_refused(
    queue: TaskQueue, start_worker: Callable[..., Program]
) -> None:
    frozen = start_worker(lease=0.6)
    task = await queue.enqueue(make_nap(), 0.8)
    await until_running(queue, task)
    heir = start_worker(lease=0.6)
    frozen.send(signal.SIGSTOP)
    before = await value_of(queue, task)

    frozen.send(signal.SIGCONT)
    await asyncio.sleep(1.0)

    assert before == await value_of(queue, task) == heir.pid
    assert [attempt.cause for attempt in await queue.attempts(task)] == [Cause.LOST, Cause.SUCCESS]
    assert (await info_of(queue, task)).attempt == 2


async def test_frozen_worker_serves_again_when_it_goes_on(
    queue: TaskQueue, start_worker: Callable[..., Program]
) -> None:
    frozen, heir = start_worker(lease=0.6), start_worker(lease=0.6)
    frozen.send(signal.SIGSTOP)
    await asyncio.sleep(1.2)
    await value_of(queue, await queue.enqueue(make_nap(), 0.0))

    frozen.send(signal.SIGCONT)
    heir.send(signal.SIGTERM)
    heir.wait()

    assert await value_of(queue, await queue.enqueue(make_nap(), 0.0)) == frozen.pid


async def test_task_that_blocks_the_workers_loop_keeps_its_lease(
    queue: TaskQueue, start_worker: Callable[..., Program]
) -> None:
    async def block() -> int:
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            pass
        return os.getpid()

    blocked = start_worker(lease=0.5)
    task = await queue.enqueue(block)
    await until_running(queue, task)
    start_worker(lease=0.5)

    assert await value_of(queue, task) == blocked.pid
    assert (await info_of(queue, task)).attempt == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_stopped_worker_finishes_what_runs_and_leaves_the_rest(
    queue: TaskQueue, start_worker: Callable[..., Program], number: signal.Signals, tmp_path: Path
) -> None:
    worker = start_worker(concurrency=2)
    tasks = await queue.enqueue_many(make_marked_nap(tmp_path), [(0.5,)] * 6)
    await until_begun(tmp_path, *tasks[:2])

    worker.send(number)

    assert await asyncio.to_thread(worker.wait, 5.0) == 0
    infos = [await info_of(queue, task) for task in tasks]
    assert [info.status for info in infos] == [TaskStatus.SUCCESS] * 2 + [TaskStatus.PENDING] * 4
    assert {(info.failures, info.crashes) for info in infos} == {(0, 0)}
    assert worker.err == ""


async def test_stopped_worker_gives_claimed_tasks_back_unspent(
    queue: TaskQueue, start_worker: Callable[..., Program]
) -> None:
    worker = start_worker(concurrency=1)
    await queue.enqueue_many(make_nap(), [(0.001,)] * 3000)  # short ones, so that it claims ahead
    await asyncio.sleep(0.3)

    worker.send(signal.SIGTERM)

    assert await asyncio.to_thread(worker.wait, 5.0) == 0
    left = await queue.list_tasks(TaskQuery(statuses=(TaskStatus.PENDING, TaskStatus.RUNNING), limit=10_000))
    assert left
    assert {(info.status, info.failures, info.crashes) for info in left} == {(TaskStatus.PENDING, 0, 0)}


async def test_stopped_worker_gives_back_unspent_what_outlasts_its_grace(
    queue: TaskQueue, start_worker: Callable[..., Program], tmp_path: Path
) -> None:
    worker = start_worker(grace=0.2)
    task = await queue.enqueue(make_marked_nap(tmp_path), 60.0)
    await until_begun(tmp_path, task)

    worker.send(signal.SIGTERM)

    assert await asyncio.to_thread(worker.wait, 5.0) == 0
    info = await info_of(queue, task)
    assert (info.status, info.failures, info.crashes) == (TaskStatus.PENDING, 0, 0)
    assert [attempt.cause for attempt in await queue.attempts(task)] == [Cause.RELEASED]


async def test_second_signal_ends_a_worker_without_grace(
    queue: TaskQueue, start_worker: Callable[..., Program]
) -> None:
    worker = start_worker(grace=60.0)
    task = await queue.enqueue(make_nap(), 60.0)
    await until_running(queue, task)

    worker.send(signal.SIGTERM)
    await asyncio.sleep(0.2)
    worker.send(signal.SIGTERM)

    assert await asyncio.to_thread(worker.wait, 5.0) == 0
    assert (await info_of(queue, task)).status is TaskStatus.PENDING


async def test_stopped_worker_is_gone_from_the_list_of_those_alive(
    queue: TaskQueue, start_worker: Callable[..., Program]
) -> None:
    worker = start_worker()
    while_serving = (await worker_info(queue, worker)).alive

    worker.send(signal.SIGTERM)
    await asyncio.to_thread(worker.wait, 5.0)

    assert while_serving
    assert [info for info in (await queue.stats()).workers if info.alive] == []


async def test_task_that_kills_its_worker_three_times_is_failed_as_lost(
    queue: TaskQueue, start_worker: Callable[..., Program], tmp_path: Path
) -> None:
    notes = tmp_path / "notes"

    def die() -> None:
        with notes.open("a") as file:
            file.write("x")
        os.kill(os.getpid(), signal.SIGKILL)

    task = await queue.enqueue(die)
    for _ in range(3):
        assert await asyncio.to_thread(start_worker().wait) == -signal.SIGKILL
    survivor = start_worker()

    with pytest.raises(TaskLostError):
        await value_of(queue, task)
    info = await info_of(queue, task)
    assert (info.status, info.crashes) == (TaskStatus.FAILED, 3)
    assert info.error is not None
    assert info.error.startswith("TaskLostError: ")
    assert notes.read_text() == "xxx"
    assert survivor.process.poll() is None


async def test_task_that_killed_its_worker_runs_again_when_requeued(
    queue: TaskQueue, start_worker: Callable[..., Program], tmp_path: Path
) -> None:
    cured = tmp_path / "cured"

    def die_unless_cured() -> str:
        if not cured.exists():
            os.kill(os.getpid(), signal.SIGKILL)
        return "alive"

    task = await queue.enqueue(die_unless_cured)
    for _ in range(3):
        await asyncio.to_thread(start_worker().wait)
    start_worker()
    await until_status(queue, task, TaskStatus.FAILED)

    cured.touch()
    await queue.requeue(task)

    assert await value_of(queue, task) == "alive"


@pytest.mark.parametrize("options", [{}, {"hide": "F_SETSIG"}], ids=["by-kernel", "by-watcher"])
@pytest.mark.parametrize("make", [make_spin, make_long_c_call])
async def test_nothing_is_left_of_a_killed_workers_children(
    queue: TaskQueue,
    start_worker: Callable[..., Program],
    make: Callable[[], Callable[[], None]],
    options: dict[str, str],
) -> None:
    worker = start_worker(executor="process", **options)
    handle = await queue.enqueue(make())
    (chunk,) = await eventually(handle.output, within=15.0)
    pids = [int(pid) for pid in chunk.text.split()]

    worker.send(signal.SIGKILL)

    assert await eventually(lambda: asyncio.to_thread(lambda: not any(map(_runs, pids))))


def _runs(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
