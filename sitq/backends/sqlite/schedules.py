"""The verbs of schedules on a SQLite store: put, remove, pause, list, fire."""

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime

from sitq.backends.moments import in_microseconds, in_seconds, moment_at, optional, since_epoch
from sitq.backends.rows import MICROSECONDS, schedule_info_of, stored_call, stored_schedule_of
from sitq.backends.schedules import options_of
from sitq.backends.sqlite.occurrences import occurrence_text
from sitq.backends.sqlite.tasks import enqueue
from sitq.backends.sqlite.writer import Transaction
from sitq.core import Task
from sitq.exceptions import TaskQueueError
from sitq.recurring import DueSchedules, Firing, Schedule, ScheduleInfo

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
    every, next_at = optional(in_microseconds, schedule.every), optional(since_epoch, schedule.next_at)
    recurs = (schedule.name, schedule.cron, every, schedule.timezone, schedule.catch_up)
    call = (task.name, task.queue, json.dumps(options_of(task)), task.payload)
    transaction.wakes.add(task.queue)
    (row,) = transaction.execute(_PUT, (*recurs, *call, next_at, transaction.now)).fetchall()
    return schedule_info_of(row, MICROSECONDS)


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
            queues = transaction.execute(_RESUME, (optional(since_epoch, next_at), name)).fetchall()
        transaction.wakes.update(queue for (queue,) in queues)
        answers.append(bool(queues))
    return answers


def list_all(raw: sqlite3.Connection, _: None = None) -> list[ScheduleInfo]:
    return [schedule_info_of(row, MICROSECONDS) for row in raw.execute(f"select {_INFO} from schedule order by name")]


# After the clock was set back, moments that were planned before lie too far ahead: an interval's next one by more than
# itself, and cron's last one by more than the hour within which nothing fires twice.
_DUE = f"""select {_INFO} from schedule where paused = 0 and (next_at <= :now
  or next_at > :now + every + 1000000 or (every is null and next_at > :now and last_at > :now + 3600000000))
  order by next_at, name"""
_NEXT = "select min(next_at) from schedule where paused = 0 and next_at > ?"


def due(raw: sqlite3.Connection, now: int) -> DueSchedules:
    schedules = tuple(schedule_info_of(row, MICROSECONDS) for row in raw.execute(_DUE, {"now": now}))
    (next_at,) = raw.execute(_NEXT, (now,)).fetchone()
    return DueSchedules(moment_at(now), schedules, None if next_at is None else in_seconds(next_at - now))


_CALL = "select name, task_name, queue, options, payload from schedule where name = ?"
_CALL_DUE = f"{_CALL} and next_at = ? and paused = 0"
# Where nothing is fired for, a last moment that lies ahead was made by a clock that was wrong.
_ADVANCE = "update schedule set next_at = ?, last_at = coalesce(?, min(last_at, ?)) where name = ?"


def fire(transaction: Transaction, requests: Sequence[Firing]) -> list[list[str] | None]:
    transaction.begin()
    return [_fire(transaction, firing) for firing in requests]


def _fire(transaction: Transaction, firing: Firing) -> list[str] | None:
    row = transaction.execute(_CALL_DUE, (firing.schedule, since_epoch(firing.due_at))).fetchone()
    if row is None:
        return None
    tasks = [stored_call(row) for _ in firing.occurrences]
    last_at = since_epoch(firing.occurrences[-1]) if firing.occurrences else None
    transaction.execute(_ADVANCE, (optional(since_epoch, firing.next_at), last_at, transaction.now, firing.schedule))
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


def run_now(transaction: Transaction, requests: Sequence[str]) -> list[str | None]:
    transaction.begin()
    return [_run_now(transaction, name) for name in requests]


def _run_now(transaction: Transaction, name: str) -> str | None:
    row = transaction.execute(_CALL, (name,)).fetchone()
    return None if row is None else _store_task(transaction, stored_call(row), name, moment_at(transaction.now))


_STORED = """select name, task_name, queue, options, payload, cron, every, timezone, catch_up, next_at
  from schedule order by name"""


def stored_schedules(raw: sqlite3.Connection, _: None = None) -> list[Schedule]:
    return [stored_schedule_of(row, MICROSECONDS) for row in raw.execute(_STORED)]
