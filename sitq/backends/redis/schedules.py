"""The verbs of schedules on a Redis store. The server keeps them; which are due is computed here, by its clock."""

import time
from datetime import datetime, timedelta
from typing import Any

from sitq.backends.moments import in_microseconds, since_epoch
from sitq.backends.redis.bell import SCHEDULES, Bell
from sitq.backends.redis.connection import Connection
from sitq.backends.redis.sights import schedule_of
from sitq.backends.redis.tasks import refusal
from sitq.backends.redis.words import Word, moment_of, task_words, text_of
from sitq.backends.refusals import schedule_is_foreign
from sitq.backends.schedules import due_among
from sitq.core import new_task_id, new_task_ids
from sitq.recurring import DueSchedules, Firing, Schedule, ScheduleInfo

_SERVES = 1.0  # seconds for which a look at the schedules serves
_NEAR = 0.1  # seconds before a moment within which it is looked at again


def _optional(moment: datetime | None) -> Word:
    return "" if moment is None else since_epoch(moment)


async def put(connection: Connection, schedule: Schedule) -> ScheduleInfo:
    # What a task has beside its due moment, which the occurrence decides.
    task = schedule.task._replace(eta=None, delay=0.0)
    _, queue, task_name, payload, arguments, facts, rare = task_words(task)
    answer = await connection.run(
        "put_schedule",
        schedule.name,
        schedule.cron or "",
        "" if schedule.every is None else in_microseconds(schedule.every),
        schedule.timezone or "",
        schedule.catch_up,
        task_name,
        queue,
        payload,
        arguments,
        facts,
        rare or "{}",
        _optional(schedule.next_at),
    )
    return schedule_of(answer)


async def remove(connection: Connection, name: str) -> bool:
    return bool(await connection.run("remove_schedule", name, again=False))


async def set_paused(connection: Connection, name: str, paused: bool, next_at: datetime | None) -> bool:
    return bool(await connection.run("pause_schedule", name, int(paused), _optional(next_at)))


async def list_all(connection: Connection) -> list[ScheduleInfo]:
    _, rows = await connection.run("schedules")
    return sorted(map(schedule_of, rows), key=lambda schedule: schedule.name)


class Calendar:
    """Tells which schedules are due.

    A worker asks whenever something changed: while no schedule did, and none can have become due since the last look,
    that look serves for a second.
    """

    def __init__(self, connection: Connection, bell: Bell) -> None:
        self._connection = connection
        self._bell = bell
        self._known = DueSchedules(moment_of(0), (), None)
        self._looked_at = float("-inf")
        self._heard: int | None = None

    async def due(self) -> DueSchedules:
        age = time.monotonic() - self._looked_at
        if not self._serves(age):
            self._heard, self._looked_at, age = self._bell.heard(SCHEDULES), time.monotonic(), 0.0
            self._known = await self._look()
        now, found, next_in = self._known
        return DueSchedules(now + timedelta(seconds=age), found, None if next_in is None else next_in - age)

    async def _look(self) -> DueSchedules:
        now, rows = await self._connection.run("schedules")
        return due_among(map(schedule_of, rows), moment_of(now))

    def _serves(self, age: float) -> bool:
        _, found, next_in = self._known
        is_near = next_in is not None and next_in - age < _NEAR
        unchanged = self._heard is not None and self._heard == self._bell.heard(SCHEDULES)
        return unchanged and age < _SERVES and not found and not is_near


async def fire(connection: Connection, firing: Firing) -> list[str] | None:
    ids = new_task_ids(len(firing.occurrences))
    tasks = [word for pair in zip(ids, map(since_epoch, firing.occurrences), strict=True) for word in pair]
    last = firing.occurrences[-1] if firing.occurrences else None
    moments = (since_epoch(firing.due_at), _optional(firing.next_at), _optional(last))
    answer = await connection.run("fire", firing.schedule, *moments, *tasks, again=False)
    if answer is None:
        return None
    _check_version(answer, firing.schedule)
    return list(map(text_of, answer))


async def run_now(connection: Connection, name: str) -> str | None:
    answer = await connection.run("run_schedule_now", name, new_task_id(), again=False)
    if answer is None:
        return None
    _check_version(answer, name)
    if answer[0] == 0:
        raise refusal(answer)
    return text_of(answer[1])


def _check_version(answer: Any, name: str) -> None:
    if answer == b"version":
        raise schedule_is_foreign(name)
