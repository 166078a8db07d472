"""The verbs of schedules on a SQLite store: put, remove, pause, list, fire."""

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sitq.backends.sqlite.occurrences import exact_moment, in_microseconds, occurrence_text
from sitq.backends.sqlite.tasks import enqueue
from sitq.backends.sqlite.writer import Transaction
from sitq.core import Task, new_task_id
from sitq.exceptions import ConfigurationError, TaskQueueError
from sitq.recurring import DueSchedules, Firing, Schedule, ScheduleInfo


def _optional(moment: datetime | None) -> int | None:
    return None if moment is None else in_microseconds(moment)


_INFO = """name, cron, every, timezone, catch_up, task_name, queue,
  iif(json_valid(options), json_extract(options, '$.arguments'), null), paused, next_at, last_at, created_at"""
_GOES_ON = """schedule.cron is excluded.cron and schedule.every is excluded.every
    and schedule.timezone is excluded.timezone"""
_PUT = f"""insert into schedule(name, cron, every, timezone, catch_up, task_name, queue, options, payload, next_at,
    created_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  on conflict(name) do update set cron = excluded.cron, every = excluded.every, timezone = excluded.timezone,
  catch_up = excluded.catch_up, task_name = excluded.task_name, queue = excluded.queue, options = excluded.options,
  payload = excluded.payload,
  next_at = iif({_GOES_ON}, coalesce(schedule.next_at, excluded.next_at), excluded.next_at),
  last_at = iif({_GOES_ON}, schedule.last_at, null),
  created_at = iif({_GOES_ON}, schedule.created_at, excluded.created_at)
  returning {_INFO}"""


def put(transaction: Transaction, requests: Sequence[Schedule]) -> list[ScheduleInfo]:
    transaction.begin()
    return [_put(transaction, schedule) for schedule in requests]


def _put(transaction: Transaction, schedule: Schedule) -> ScheduleInfo:
    task = schedule.task
    every = None if schedule.every is None else round(schedule.every * 1_000_000)
    recurs = (schedule.name, schedule.cron, every, schedule.timezone, schedule.catch_up)
    call = (task.name, task.queue, json.dumps(_options(task)), task.payload)
    transaction.wakes.add(task.queue)
    (row,) = transaction.execute(_PUT, (*recurs, *call, _optional(schedule.next_at), transaction.now)).fetchall()
    return _info(row)


# What a task has beside its name, lane and bytes, kept as JSON; a schedule decides when it is due.
_DEFAULTS = {name: default for name, default in Task._field_defaults.items() if name not in ("queue", "eta", "delay")}


def _options(task: Task) -> dict[str, Any]:
    values = {name: getattr(task, name) for name in _DEFAULTS}
    return {name: value for name, value in values.items() if value != _DEFAULTS[name]}


def remove(transaction: Transaction, requests: Sequence[str]) -> list[bool]:
    transaction.begin()
    return [transaction.execute("delete from schedule where name = ?", (name,)).rowcount > 0 for name in requests]


_PAUSE = "update schedule set paused = 1 where name = ? returning queue"
_RESUME = """update schedule set next_at = iif(paused, ?, next_at), paused = 0 where name = ? returning queue"""


def set_paused(transaction: Transaction, requests: Sequence[tuple[str, bool, datetime | None]]) -> list[bool]:
    transaction.begin()
    answers = []
    for name, paused, next_at in requests:
        if paused:
            queues = transaction.execute(_PAUSE, (name,)).fetchall()
        else:
            queues = transaction.execute(_RESUME, (_optional(next_at), name)).fetchall()
        transaction.wakes.update(queue for (queue,) in queues)
        answers.append(bool(queues))
    return answers


def list_all(raw: sqlite3.Connection, _: None = None) -> list[ScheduleInfo]:
    return [_info(row) for row in raw.execute(f"select {_INFO} from schedule order by name")]


# After the clock was set back, moments that were planned before lie too far ahead: an interval's next one by more than
# itself, and cron's last one by more than the hour within which nothing fires twice.
_DUE = f"""select {_INFO} from schedule where paused = 0 and (next_at <= :now
  or next_at > :now + every + 1000000 or (every is null and next_at > :now and last_at > :now + 3600000000))
  order by next_at, name"""
_NEXT = "select min(next_at) from schedule where paused = 0 and next_at > ?"


def due(raw: sqlite3.Connection, now: int) -> DueSchedules:
    schedules = tuple(_info(row) for row in raw.execute(_DUE, {"now": now}))
    (next_at,) = raw.execute(_NEXT, (now,)).fetchone()
    return DueSchedules(exact_moment(now), schedules, None if next_at is None else (next_at - now) / 1_000_000)


def _info(row: Sequence[Any]) -> ScheduleInfo:
    name, cron, every, timezone, catch_up, task_name, queue, arguments, paused, next_at, last_at, created_at = row
    return ScheduleInfo(
        name=name,
        cron=cron,
        every=None if every is None else every / 1_000_000,
        timezone=timezone,
        catch_up=catch_up,
        task_name=task_name,
        queue=queue,
        created_at=exact_moment(created_at),
        arguments=arguments,
        paused=bool(paused),
        next_at=None if next_at is None else exact_moment(next_at),
        last_at=None if last_at is None else exact_moment(last_at),
    )


_CALL = "select name, task_name, queue, options, payload from schedule where name = ?"
_CALL_DUE = f"{_CALL} and next_at = ? and paused = 0"
# Where nothing is fired for, a last moment that lies ahead was made by a clock that was wrong.
_ADVANCE = "update schedule set next_at = ?, last_at = coalesce(?, min(last_at, ?)) where name = ?"


def fire(transaction: Transaction, requests: Sequence[Firing]) -> list[list[str] | None]:
    transaction.begin()
    return [_fire(transaction, firing) for firing in requests]


def _fire(transaction: Transaction, firing: Firing) -> list[str] | None:
    row = transaction.execute(_CALL_DUE, (firing.schedule, in_microseconds(firing.due_at))).fetchone()
    if row is None:
        return None
    tasks = [stored_call(row) for _ in firing.occurrences]
    last_at = in_microseconds(firing.occurrences[-1]) if firing.occurrences else None
    transaction.execute(_ADVANCE, (_optional(firing.next_at), last_at, transaction.now, firing.schedule))
    stored = (
        _store_or_skip(transaction, task, firing.schedule, occurrence)
        for task, occurrence in zip(tasks, firing.occurrences, strict=True)
    )
    return [task_id for task_id in stored if task_id is not None]


def _store_or_skip(transaction: Transaction, task: Task, schedule: str, occurrence: datetime) -> str | None:
    try:
        task_id = _store_task(transaction, task, schedule, occurrence)
    except TaskQueueError:  # its key is held and the policy does not yield
        return None
    return task_id if task_id == task.id else None


def _store_task(transaction: Transaction, task: Task, schedule: str, occurrence: datetime) -> str:
    ((task_id,),) = enqueue(transaction, ((task,),))
    transaction.execute("update task set schedule = ? where id = ?", (occurrence_text(occurrence, schedule), task.id))
    return task_id


def stored_call(row: Sequence[Any]) -> Task:
    """Make a new task of what a schedule holds.

    Raises:
        ConfigurationError: another version stored it.
    """
    schedule, name, queue, options, payload = row
    try:
        given = {key: _as_type_of(_DEFAULTS[key], value) for key, value in json.loads(options).items()}
        return Task(id=new_task_id(), name=name, queue=queue, payload=payload, **given)
    except (ValueError, KeyError) as exc:
        raise ConfigurationError(
            f"schedule {schedule!r} is of another version of sitq and cannot be read ({exc}); schedule it again"
        ) from exc


def _as_type_of(default: Any, value: Any) -> Any:
    """Make of what JSON has kept what it was: a tuple or a member of an enumeration where the default is one."""
    return type(default)(value) if isinstance(default, (tuple, StrEnum)) else value


def run_now(transaction: Transaction, requests: Sequence[str]) -> list[str | None]:
    transaction.begin()
    return [_run_now(transaction, name) for name in requests]


def _run_now(transaction: Transaction, name: str) -> str | None:
    row = transaction.execute(_CALL, (name,)).fetchone()
    return None if row is None else _store_task(transaction, stored_call(row), name, exact_moment(transaction.now))
