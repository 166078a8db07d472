"""What moves between stores: tasks that ended in another one come in. (Schedules go out by `schedules`.)"""

import json
from collections.abc import Sequence

from sitq.backends.moments import in_microseconds, optional, since_epoch
from sitq.backends.sqlite.schema import INLINE_LIMIT, VALUE
from sitq.backends.sqlite.tasks import insert_one, row_of
from sitq.backends.sqlite.writer import Transaction
from sitq.backends.states import CAUSE_OF, STATES
from sitq.core import Result, Task

_KNOWN = "select 1 from task where id = ?"
_END = """update task set state = ?, attempt = ?, cause = ?, error = ?, traceback = ?, value = ?, enqueued_at = ?,
  expires_at = ?, started_at = ?, finished_at = ?, on_failure = ?, purge_at = ? + retention where seq = ?"""
_NEED = """insert or ignore into dependency(needs, task, takes)
  select seq, ?, ? from task where id in (select value from json_each(?))"""


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
    ended_at = transaction.now if result.finished_at is None else since_epoch(result.finished_at)
    enqueued_at = ended_at if result.enqueued_at is None else since_epoch(result.enqueued_at)
    transaction.execute(
        _END,
        (
            state,
            result.attempt,
            CAUSE_OF[result.status],
            result.error,
            result.traceback,
            _keep_value(transaction, seq, result.value),
            enqueued_at,
            None if task.expires is None else enqueued_at + in_microseconds(task.expires),
            optional(since_epoch, result.started_at),
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


def _keep_value(transaction: Transaction, seq: int, value: bytes | None) -> bytes | None:
    """Store a long value apart, and give back one that goes into the row."""
    if value is None or len(value) <= INLINE_LIMIT:
        return value
    transaction.execute("insert into blob values (?, ?, ?)", (seq, VALUE, value))
    return None
