"""Many worker processes on the same schedules: each occurrence fires once, also when workers are shot."""

import asyncio
import signal
import time
from datetime import timedelta
from pathlib import Path

import pytest
from processes import Program, Programs

from sitq.core import TaskStatus
from sitq.queue import TaskQueue
from sitq.recurring import ScheduleInfo
from sitq.views import TaskInfo, TaskQuery

EVERY = {"fast": 0.05, "slow": 0.2}


async def put_schedules(path: Path) -> list[ScheduleInfo]:
    def nothing() -> None: ...

    async with TaskQueue(path) as queue:
        return [
            await queue.schedule(nothing, name=name, every=seconds, catch_up="all") for name, seconds in EVERY.items()
        ]


async def tasks_of(path: Path, name: str) -> list[TaskInfo]:
    async with TaskQueue(path) as queue:
        return (await queue.list_tasks(TaskQuery(schedule=name, limit=10_000)))[::-1]


def assert_each_occurrence_fired_once(path: Path, schedules: list[ScheduleInfo], *, at_least: int) -> None:
    for schedule in schedules:
        assert schedule.next_at is not None and schedule.every is not None
        moments = [task.scheduled_at for task in asyncio.run(tasks_of(path, schedule.name))]
        step = timedelta(seconds=schedule.every)
        assert moments == [schedule.next_at + step * number for number in range(len(moments))]
        assert len(moments) >= at_least


def serving(programs: Programs, path: Path) -> Program:
    worker = programs.start("worker.py", path)
    worker.wait_for_output("started")
    return worker


def test_two_processes_fire_each_occurrence_once(path: Path, programs: Programs) -> None:
    workers = [serving(programs, path) for _ in range(2)]
    schedules = asyncio.run(put_schedules(path))
    time.sleep(2.0)
    for worker in workers:
        worker.send(signal.SIGTERM)

    assert [worker.wait() for worker in workers] == [0, 0]
    assert_each_occurrence_fired_once(path, schedules, at_least=5)


@pytest.mark.slow
def test_four_processes_that_are_shot_in_turn_fire_each_occurrence_once(path: Path, programs: Programs) -> None:
    workers = [serving(programs, path) for _ in range(4)]
    schedules = asyncio.run(put_schedules(path))
    for number in range(20):
        time.sleep(0.15)
        workers[number % 4].send(signal.SIGKILL)
        workers[number % 4] = serving(programs, path)
    for worker in workers:
        worker.send(signal.SIGTERM)
        worker.wait()

    assert_each_occurrence_fired_once(path, schedules, at_least=20)
    ended = [task.status for name in EVERY for task in asyncio.run(tasks_of(path, name))]
    assert ended.count(TaskStatus.SUCCESS) > 0.9 * len(ended)
