"""What moves between stores: tasks that ended in another one come in, schedules go out with their bytes."""

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime

from sitq.backends.sqlite.occurrences import exact_moment, in_microseconds
from sitq.backends.sqlite.schedules import stored_call
from sitq.backends.sqlite.schema import INLINE_LIMIT, STATES, VALUE
from sitq.backends.sqlite.tasks import insert_one, row_of
from sitq.backends.sqlite.writer import Transaction
from sitq.core import Cause, Result, Task, TaskStatus
from sitq.recurring import Schedule

_KNOWN = "select 1 from task where id = ?"
_END = """update task set state = ?, attempt = ?, cause = ?, error = ?, traceback = ?, value = ?, enqueued_at = ?,
  expires_at = ?, started_at = ?, finished_at = ?, on_failure = ?, purge_at = ? + retention where seq = ?"""
_NEED = """insert or ignore into dependency(needs, task, takes)
  select seq, ?, ? from task where id in (select value from json_each(?))"""

_CAUSES = {
    TaskStatus.SUCCESS: Cause.SUCCESS,
    TaskStatus.FAILED: Cause.ERROR,
    TaskStatus.CANCELLED: Cause.CANCELLED,
}


def restore(transaction: Transaction, requests: Sequence[Sequence[tuple[Task, Result]]]) -> list[set[str]]:
    transaction.begin()
    return [{task.id for task, result in request if _restore(transaction, task, result)} for request in requests]


def _restore(transaction: Transaction, task: Task, result: Result) -> bool:
    if transaction.execute(_KNOWN, (task.id,)).fetchone():
        return False
    (state,) = STATES[result.status]
    row = list(row_of(transaction, task))
    row[3] = state
    seq = insert_one(transaction, task, tuple(row))
    ended_at = _moment(result.finished_at, transaction.now)
    enqueued_at = _moment(result.enqueued_at, ended_at)
    transaction.execute(
        _END,
        (
            state,
            result.attempt,
            _CAUSES[result.status],
            result.error,
            result.traceback,
            _keep_value(transaction, seq, result.value),
            enqueued_at,
            None if task.expires is None else enqueued_at + round(task.expires * 1_000_000),
            None if result.started_at is None else in_microseconds(result.started_at),
            ended_at,
            task.on_failure if task.needs or task.after else None,
            ended_at,
            seq,
        ),
    )
    for needed, takes in ((task.needs, 1), (task.after, 0)):
        transaction.execute(_NEED, (seq, takes, json.dumps(needed)))
    transaction.count(task.queue, state, 1)
    transaction.wakes.add(task.id)
    return True


def _moment(moment: datetime | None, otherwise: int) -> int:
    return otherwise if moment is None else in_microseconds(moment)


def _keep_value(transaction: Transaction, seq: int, value: bytes | None) -> bytes | None:
    """Store a long value apart, and give back one that goes into the row."""
    if value is None or len(value) <= INLINE_LIMIT:
        return value
    transaction.execute("insert into blob values (?, ?, ?)", (seq, VALUE, value))
    return None


_SCHEDULES = """select name, cron, every, timezone, catch_up, next_at, task_name, queue, options, payload
  from schedule order by name"""


def stored_schedules(raw: sqlite3.Connection, _: None = None) -> list[Schedule]:
    return [
        Schedule(
            name=name,
            task=stored_call((name, *call)),
            cron=cron,
            every=None if every is None else every / 1_000_000,
            timezone=timezone,
            catch_up=catch_up,
            next_at=None if next_at is None else exact_moment(next_at),
        )
        for name, cron, every, timezone, catch_up, next_at, *call in raw.execute(_SCHEDULES)
    ]
