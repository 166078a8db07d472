"""A worker fires schedules: in time, once, after a sleep as told, and whatever is wrong with one of them."""

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from running import echo, hold, impatient, locked, until, until_begun

from sitq.backends.sqlite import SQLiteBackend
from sitq.context import current_task
from sitq.core import TaskStatus
from sitq.queue import TaskQueue
from sitq.recurring import ScheduleInfo
from sitq.schedules import MOST_CAUGHT_UP
from sitq.views import TaskInfo, TaskQuery
from sitq.worker import Worker

HOUR = 3600.0


def occurrence() -> str:
    task = current_task()
    assert task is not None
    return str(task.scheduled_at)


async def fired(queue: TaskQueue, name: str) -> list[TaskInfo]:
    """The tasks of a schedule, the first one first."""
    return (await queue.list_tasks(TaskQuery(schedule=name, limit=5000)))[::-1]


async def until_fired(queue: TaskQueue, name: str, count: int = 1) -> list[TaskInfo]:
    async def enough() -> list[TaskInfo]:
        tasks = await fired(queue, name)
        return tasks if len(tasks) >= count else []

    return await until(enough)


async def schedule_of(queue: TaskQueue, name: str) -> ScheduleInfo:
    (schedule,) = [schedule for schedule in await queue.schedules() if schedule.name == name]
    return schedule


async def schedule_since(queue: TaskQueue, seconds: float, **options: Any) -> ScheduleInfo:
    """Schedule a call whose next occurrence was so many seconds ago, as after a sleep."""
    schedule = await queue.schedule(echo, 1, **{"name": "late", **options})
    next_at = datetime.now(UTC) - timedelta(seconds=seconds)
    if schedule.cron is not None:
        next_at = next_at.replace(minute=0, second=0, microsecond=0)
    await queue.backend.set_schedule_paused(schedule.name, True)
    await queue.backend.set_schedule_paused(schedule.name, False, next_at=next_at)
    return replace(schedule, next_at=next_at)


def write(path: Path, statement: str, *parameters: object) -> None:
    """Write to the file as only a fault or another version would."""
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute(statement, parameters)


def lines(caplog: pytest.LogCaptureFixture, level: int = logging.INFO) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.levelno == level and "schedule" in one.getMessage()]


async def test_interval_fires_in_time(queue: TaskQueue, worker: Worker) -> None:
    schedule = await queue.schedule(echo, 1, name="tick", every=0.2)

    tasks = await until_fired(queue, "tick", 4)

    moments = [task.scheduled_at for task in tasks]
    assert schedule.next_at is not None
    assert moments[:4] == [schedule.next_at + timedelta(seconds=0.2 * step) for step in range(4)]
    late = sorted((task.enqueued_at - task.scheduled_at).total_seconds() for task in tasks if task.scheduled_at)
    assert 0 <= late[0] < 0.05


async def test_fired_task_runs_and_has_a_value(queue: TaskQueue, worker: Worker) -> None:
    await queue.schedule(pow, 2, exp=5, name="power", every=0.1)

    (task, *_) = await until_fired(queue, "power")

    assert await queue.handle(task.id) == 32


async def test_task_is_told_its_occurrence(queue: TaskQueue, worker: Worker) -> None:
    await queue.schedule(occurrence, every=0.1, name="which")

    (task, *_) = await until_fired(queue, "which")

    assert await queue.handle(task.id) == str(task.scheduled_at)


async def test_new_schedule_is_noticed_before_the_next_poll(path: Path, queue: TaskQueue) -> None:
    async with Worker(path, poll_interval=60.0):
        await asyncio.sleep(0.1)
        await queue.schedule(echo, 1, name="tick", every=0.1)

        assert await until_fired(queue, "tick", 2)


async def test_new_schedule_of_a_lane_served_elsewhere_is_noticed_by_a_poll(path: Path, queue: TaskQueue) -> None:
    async with Worker(path, queues=["mail"], poll_interval=0.1):
        await queue.options(queue="video").schedule(echo, 1, name="tick", every=0.1)

        (task, *_) = await until_fired(queue, "tick", 2)
    assert (task.queue, task.status) == ("video", TaskStatus.PENDING)


async def test_busy_worker_fires(path: Path, queue: TaskQueue, gate: Path) -> None:
    async with Worker(path, max_concurrency=1, poll_interval=0.1, grace=0):
        await until_begun(await queue.enqueue(hold, gate))
        await queue.schedule(echo, 1, name="tick", every=0.1)

        assert await until_fired(queue, "tick", 2)


async def test_two_workers_fire_each_occurrence_once(path: Path, queue: TaskQueue) -> None:
    async with Worker(path), Worker(path), Worker(path):
        await queue.schedule(echo, 1, name="tick", every=0.05)
        tasks = await until_fired(queue, "tick", 10)

    moments = [task.scheduled_at for task in tasks]
    assert len(set(moments)) == len(moments)


async def test_firing_while_the_last_one_runs_is_another_task(queue: TaskQueue, worker: Worker, gate: Path) -> None:
    await queue.schedule(hold, gate, name="long", every=0.1)

    tasks = await until_fired(queue, "long", 3)

    await until_begun(*(task.id for task in tasks[:3]))


async def test_firing_while_the_last_one_runs_is_skipped_if_they_share_a_key(
    queue: TaskQueue, worker: Worker, gate: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="sitq")
    await queue.options(key="long").schedule(hold, gate, name="long", every=0.05)
    (first, *_) = await until_fired(queue, "long")

    async def skipped() -> bool:
        return lines(caplog).count("schedule long skipped 1 of 1, its key is held") >= 2

    await until(skipped)
    assert [task.id for task in await fired(queue, "long")] == [first.id]
    gate.touch()
    assert len(await until_fired(queue, "long", 2)) == 2


async def drain(path: Path) -> None:
    await Worker(path).run_until_empty(timeout=20)


async def test_last_fires_once_for_the_newest_missed(
    path: Path, queue: TaskQueue, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="sitq")
    late = await schedule_since(queue, 10.5 * HOUR, every=HOUR)

    await drain(path)

    (task,) = await fired(queue, "late")
    assert late.next_at is not None
    assert task.scheduled_at == late.next_at + timedelta(hours=10)
    assert f"schedule late skipped what was due from {late.next_at} until {task.scheduled_at}" in lines(caplog)


async def test_all_fires_for_each_missed(path: Path, queue: TaskQueue) -> None:
    late = await schedule_since(queue, 3.5 * HOUR, every=HOUR, catch_up="all")

    await drain(path)

    assert late.next_at is not None
    moments = [task.scheduled_at for task in await fired(queue, "late")]
    assert moments == [late.next_at + timedelta(hours=step) for step in range(4)]


async def test_all_fires_for_no_more_than_a_thousand_and_warns(
    path: Path, queue: TaskQueue, caplog: pytest.LogCaptureFixture
) -> None:
    await schedule_since(queue, 2000 * HOUR, every=HOUR, catch_up="all")

    await drain(path)

    assert len(await fired(queue, "late")) == MOST_CAUGHT_UP
    assert len(lines(caplog, logging.WARNING)) == 1


async def test_none_skips_what_was_missed_and_says_so(
    path: Path, queue: TaskQueue, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="sitq")
    late = await schedule_since(queue, 3.5 * HOUR, every=HOUR, catch_up="none")

    await drain(path)

    assert await fired(queue, "late") == []
    schedule = await schedule_of(queue, "late")
    assert schedule.next_at is not None and schedule.next_at > datetime.now(UTC)
    assert schedule.last_at is None
    assert f"schedule late skipped what was due since {late.next_at}" in lines(caplog)


async def test_cron_catches_up(path: Path, queue: TaskQueue) -> None:
    late = await schedule_since(queue, 60 * HOUR, cron="*/10 * * * *", timezone="Europe/Berlin")

    await drain(path)

    (task,) = await fired(queue, "late")
    assert late.next_at is not None and task.scheduled_at is not None
    assert timedelta(0) <= datetime.now(UTC) - task.scheduled_at <= timedelta(minutes=11)


async def test_clock_that_was_ahead_and_set_back_fires_nothing_and_goes_on(
    path: Path, queue: TaskQueue, caplog: pytest.LogCaptureFixture
) -> None:
    await schedule_since(queue, -1000 * HOUR, every=HOUR)

    await drain(path)

    assert await fired(queue, "late") == []
    next_at = (await schedule_of(queue, "late")).next_at
    assert next_at is not None and next_at - datetime.now(UTC) <= timedelta(hours=1)
    assert lines(caplog, logging.WARNING) == [f"schedule late goes on at {next_at}, the clock was set back"]


async def test_run_until_empty_does_not_wait_for_what_is_to_come(path: Path, queue: TaskQueue) -> None:
    await queue.schedule(echo, 1, name="later", every=HOUR)

    await Worker(path).run_until_empty(timeout=5)

    assert await fired(queue, "later") == []


async def test_run_until_empty_runs_what_it_fired(path: Path, queue: TaskQueue) -> None:
    await schedule_since(queue, 1.5 * HOUR, every=HOUR)

    await drain(path)

    (task,) = await fired(queue, "late")
    assert task.status is TaskStatus.SUCCESS


async def test_paused_schedule_fires_no_more_until_it_is_resumed(queue: TaskQueue, worker: Worker) -> None:
    await queue.schedule(echo, 1, name="tick", every=0.05)
    await until_fired(queue, "tick")

    await queue.pause_schedule("tick")
    count = len(await fired(queue, "tick"))
    await asyncio.sleep(0.2)

    assert len(await fired(queue, "tick")) == count
    await queue.resume_schedule("tick")
    assert await until_fired(queue, "tick", count + 1)


async def test_removed_schedule_fires_no_more(queue: TaskQueue, worker: Worker) -> None:
    await queue.schedule(echo, 1, name="tick", every=0.05)
    await until_fired(queue, "tick")

    assert await queue.unschedule("tick")
    count = len(await fired(queue, "tick"))
    await asyncio.sleep(0.2)

    assert len(await fired(queue, "tick")) == count


async def test_stopping_worker_fires_no_more(path: Path, queue: TaskQueue, gate: Path) -> None:
    worker = Worker(path)
    serving = asyncio.create_task(worker.start())
    await until_begun(await queue.enqueue(hold, gate))
    await queue.schedule(echo, 1, name="tick", every=0.05)
    await until_fired(queue, "tick")

    stopping = asyncio.create_task(worker.stop())
    await asyncio.sleep(0.01)
    count = len(await fired(queue, "tick"))
    await asyncio.sleep(0.2)

    assert len(await fired(queue, "tick")) == count
    gate.touch()
    await asyncio.gather(stopping, serving)


BROKEN: Sequence[tuple[str, object, str]] = [
    ("timezone = ?, cron = '* * * * *', every = null", "Mars/Olympus", "timezone must be a name"),
    ("cron = ?, every = null", "often", "cron must have five fields"),
    ("every = ?", 0, "every must be more than 0 seconds"),
    ("catch_up = ?", "some", "catch_up must be"),
    ("options = ?", '{"colour": "red"}', "cannot be read ('colour'); schedule it again"),
    ("options = ?", '{"on_conflict": "dance"}', "('dance' is not a valid OnConflict); schedule it again"),
    ("options = ?", "{", "cannot be read"),
]


@pytest.mark.parametrize(("change", "value", "message"), BROKEN)
async def test_broken_schedule_is_told_once_and_stops_no_other(
    path: Path, queue: TaskQueue, caplog: pytest.LogCaptureFixture, change: str, value: object, message: str
) -> None:
    await schedule_since(queue, 3.5 * HOUR, every=HOUR, name="broken")
    write(path, f"update schedule set {change} where name = 'broken'", value)
    async with Worker(path):
        await queue.schedule(echo, 1, name="sound", every=0.05)
        (task, *_) = await until_fired(queue, "sound", 4)
        assert await queue.handle(task.id) == 1

    (line,) = lines(caplog, logging.ERROR)
    assert line.startswith("schedule broken cannot fire: ") and message in line
    assert await fired(queue, "broken") == []


async def test_broken_schedule_fires_when_it_is_put_right(path: Path, queue: TaskQueue) -> None:
    await schedule_since(queue, 3.5 * HOUR, every=HOUR)
    write(path, "update schedule set catch_up = 'some'")
    async with Worker(path, poll_interval=0.05):
        await asyncio.sleep(0.1)
        await queue.schedule(echo, 1, name="late", every=HOUR)

        assert await until_fired(queue, "late")


async def test_moment_that_cannot_be_read_stops_no_task(
    path: Path, queue: TaskQueue, caplog: pytest.LogCaptureFixture
) -> None:
    await queue.schedule(echo, 1, name="broken", every=HOUR)
    write(path, "update schedule set next_at = -9000000000000000000")
    async with Worker(path):
        assert await (await queue.enqueue(echo, 7)) == 7

        async def told() -> bool:
            return any(line.startswith("schedules cannot fire: ") for line in lines(caplog, logging.WARNING))

        await until(told)


async def test_firing_waits_until_the_store_is_free(path: Path, queue: TaskQueue) -> None:
    async with Worker(impatient(path), poll_interval=0.05):
        await queue.schedule(echo, 1, name="tick", every=0.1)
        await until_fired(queue, "tick")
        with locked(path):
            await asyncio.sleep(0.4)
        count = len(await fired(queue, "tick"))

        assert await until_fired(queue, "tick", count + 1)


async def test_schedule_in_memory_fires() -> None:
    async with SQLiteBackend(":memory:") as backend, TaskQueue(backend) as queue, Worker(backend):
        await queue.schedule(echo, 1, name="tick", every=0.05)

        assert await until_fired(queue, "tick", 2)
