"""The verbs of producers and people on a SQLite store: enqueue, cancel, requeue, delete, purge, pause."""

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any, TypeVar

from sitq.backends.sqlite import dependencies
from sitq.backends.sqlite.dependencies import Ended
from sitq.backends.sqlite.schema import CANCELLED, INLINE_LIMIT, PAYLOAD, READY, RUNNING, SCHEDULED, STATES, SUCCESS
from sitq.backends.sqlite.writer import CollisionError, Transaction
from sitq.core import FINAL, Cause, OnConflict, Task, TaskStatus
from sitq.exceptions import TaskQueueError

T = TypeVar("T")

_WIDEST = 128  # rows in one insert: wide statements let go of the GIL less often than many narrow ones

_COMMON = ("id", "queue", "name", "state", "priority", "due_at", "max_attempts", "enqueued_at", "executor", "arguments",
  "payload")  # fmt: skip
_RARE = ("expires_at", "timeout", "retention", "key", "python", "tags", "meta")
_NOTHING_RARE = (None,) * len(_RARE)


@cache
def _insert(rows: int, *columns: str) -> str:
    places = f"({', '.join('?' * len(columns))})"
    return f"insert into task({', '.join(columns)}) values {', '.join([places] * rows)}"


def microseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1_000_000)


def _instant(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000)


def enqueue(transaction: Transaction, requests: Sequence[Sequence[Task]]) -> list[list[str]]:
    transaction.begin()
    ids = iter(_enqueue_all(transaction, [task for request in requests for task in request]))
    return [list(islice(ids, len(request))) for request in requests]


def _is_special(task: Task) -> bool:
    """Tell what cannot go in a wide statement: long payloads, keys that may be held, and what waits for other tasks."""
    return task.key is not None or len(task.payload) > INLINE_LIMIT or bool(task.needs) or bool(task.after)


def _enqueue_all(transaction: Transaction, tasks: Sequence[Task]) -> list[str]:
    if transaction.careful or any(_is_special(task) for task in tasks):
        return [_enqueue_one(transaction, task) for task in tasks]
    rows = [row_of(transaction, task) for task in tasks]
    columns = _columns(rows)
    width = len(columns)
    try:
        for slice_ in slices(rows, _WIDEST):
            statement = _insert(len(slice_), *columns)
            transaction.execute(statement, [value for row in slice_ for value in row[:width]])
    except sqlite3.IntegrityError as exc:
        raise CollisionError from exc  # an id that exists
    for row in rows:
        _note(transaction, row)
    return [task.id for task in tasks]


def _columns(rows: Iterable[tuple[Any, ...]]) -> tuple[str, ...]:
    """Name the columns to write; the rare ones only if a row has any of them, as they would take 1.1 µs a row."""
    common = len(_COMMON)
    return _COMMON if all(row[common:] == _NOTHING_RARE for row in rows) else _COMMON + _RARE


def slices(rows: Sequence[T], widest: int) -> Iterator[Sequence[T]]:
    """Cut rows into slices whose lengths are powers of two, so that few statements are ever prepared."""
    start, width = 0, widest
    while start < len(rows):
        while width > len(rows) - start:
            width //= 2
        yield rows[start : start + width]
        start += width


def row_of(transaction: Transaction, task: Task) -> tuple[Any, ...]:
    """Make the values of the common columns, then those of the rare ones."""
    now = transaction.now
    if task.eta is not None:
        due_at = _instant(task.eta)
    else:
        due_at = now + round(task.delay * 1_000_000) if task.delay > 0 else now
    return (
        task.id,
        task.queue,
        task.name,
        SCHEDULED if due_at > now else READY,
        task.priority,
        due_at,
        task.max_attempts,
        now,
        task.executor,
        task.arguments,
        task.payload if len(task.payload) <= INLINE_LIMIT else None,
        None if task.expires is None else now + round(task.expires * 1_000_000),
        microseconds(task.timeout),
        microseconds(task.retention),
        task.key,
        task.python,
        json.dumps(task.tags) if task.tags else None,
        None if task.meta is None else json.dumps(task.meta),
    )


def _note(transaction: Transaction, row: tuple[Any, ...]) -> None:
    queue, state, due_at = row[1], row[3], row[5]
    transaction.count(queue, state, 1)
    if state == SCHEDULED:
        transaction.plan(due_at)
    else:
        transaction.wakes.add(queue)


def _enqueue_one(transaction: Transaction, task: Task) -> str:
    known = transaction.execute("select 1 from task where id = ?", (task.id,)).fetchone()
    if known:
        return task.id
    if task.key is not None:
        holder = _make_place(transaction, task)
        if holder is not None:
            return holder
    row = row_of(transaction, task)
    _note(transaction, row)
    seq = insert_one(transaction, task, row)
    if task.needs or task.after:
        dependencies.insert(transaction, seq, task, task.queue, row[3])
    return task.id


def insert_one(transaction: Transaction, task: Task, row: tuple[Any, ...]) -> int:
    seq = int(transaction.execute(_insert(1, *_COMMON, *_RARE), row).lastrowid or 0)
    if len(task.payload) > INLINE_LIMIT:
        transaction.execute("insert into blob values (?, ?, ?)", (seq, PAYLOAD, task.payload))
    return seq


_HOLDER = "select seq, id, queue, state from task where key = ? and state < 3"


def _make_place(transaction: Transaction, task: Task) -> str | None:
    """Apply the task's policy to the unfinished holder of its key; returns the holder's id if that is the answer."""
    holder = transaction.execute(_HOLDER, (task.key,)).fetchone()
    if holder is None:
        return None
    seq, holder_id, queue, state = holder
    if task.on_conflict is OnConflict.RETURN:
        return str(holder_id)
    if task.on_conflict is OnConflict.REPLACE and state != RUNNING:
        _make_cancelled(transaction, [(seq, holder_id, queue, state)], f"replaced by {task.id}")
        return None
    doing = "is running" if state == RUNNING else "is pending"
    raise TaskQueueError(
        f"key {task.key!r} is held by task {holder_id}, which {doing}; wait for it, or use another key",
        task_id=holder_id,
    )


_CANCEL = """update task set state = 5, cause = ?, error = ?, finished_at = ?,
  purge_at = case when retention is not null then ? + retention end where seq = ?"""


def _make_cancelled(transaction: Transaction, rows: Iterable[tuple[int, str, str, int]], error: str) -> None:
    """Make pending tasks, given as (seq, id, queue, state), cancelled with a reason."""
    now, ended = transaction.now, []
    for seq, task_id, queue, state in rows:
        transaction.execute(_CANCEL, (Cause.CANCELLED, error, now, now, seq))
        transaction.move(queue, state, CANCELLED)
        transaction.wakes.add(task_id)
        ended.append(Ended(seq, task_id, "was cancelled"))
    dependencies.settle(transaction, ended)


_STOP = """update task set state = 5, cause = 'cancelled', finished_at = ?,
  error = 'TaskCancelledError: it was cancelled between two attempts',
  purge_at = case when retention is not null then ? + retention end where seq = ?"""


def stop_between_attempts(transaction: Transaction, seq: int, task_id: str, queue: str) -> None:
    """Make a running task cancelled whose attempt has ended without a final outcome."""
    transaction.execute(_STOP, (transaction.now, transaction.now, seq))
    transaction.move(queue, RUNNING, CANCELLED)
    transaction.wakes.add(task_id)
    dependencies.settle(transaction, [Ended(seq, task_id, "was cancelled")])


def expire(transaction: Transaction, rows: Iterable[tuple[int, str, str, int]]) -> None:
    """Make tasks cancelled whose time to start has passed."""
    _make_cancelled(transaction, rows, "TaskCancelledError: it did not start before it expired")


# Task ids come as one JSON array: any number of them is one parameter.
_WANTED = "id in (select value from json_each(?))"
_PENDING = f"select seq, id, queue, state from task where state < 2 and {_WANTED}"
_ASK_TO_STOP = f"update task set cancel = 1 where state = 2 and {_WANTED} returning id, queue"


def cancel(transaction: Transaction, requests: Sequence[Collection[str]]) -> list[set[str]]:
    transaction.begin()
    answers = []
    for ids in requests:
        wanted = (json.dumps(list(ids)),)
        pending = transaction.execute(_PENDING, wanted).fetchall()
        _make_cancelled(transaction, pending, "TaskCancelledError: it was cancelled before it started")
        running = transaction.execute(_ASK_TO_STOP, wanted).fetchall()
        transaction.wakes.update(task_id for task_id, _ in running)
        answers.append({row[1] for row in pending} | {task_id for task_id, _ in running})
    return answers


_REMEMBER = """insert or ignore into attempt
  select seq, attempt, worker, started_at, ?, coalesce(?, cause), coalesce(?, error), coalesce(?, traceback)
  from task where seq = ? and attempt > 0"""
_REQUEUE = """update task set state = 1, due_at = ?, failures = 0, crashes = 0, cancel = 0, cause = null,
  worker = null, started_at = null, finished_at = null, expires_at = null, purge_at = null, error = null,
  traceback = null, value = null,
  progress_done = null, progress_total = null, progress_message = null where seq = ?"""
_REQUEUABLE = f"select seq, id, queue, state, finished_at, key from task where state >= 4 and {_WANTED}"


def remember(
    transaction: Transaction,
    seq: int,
    ended_at: int,
    cause: Cause | None = None,
    error: str | None = None,
    traceback: str | None = None,
) -> None:
    """Copy the attempt that a task's row holds into the history; what is not given is as the row has it."""
    transaction.execute(_REMEMBER, (ended_at, cause, error, traceback, seq))


def requeue(transaction: Transaction, requests: Sequence[Collection[str]]) -> list[set[str]]:
    transaction.begin()
    answers = []
    for ids in requests:
        reached = set()
        rows = transaction.execute(_REQUEUABLE, (json.dumps(list(ids)),)).fetchall()
        for seq, task_id, queue, state, finished_at, key in sorted(rows):  # the older first: others may need them
            if key is not None and transaction.execute(_HOLDER, (key,)).fetchone():
                continue
            remember(transaction, seq, finished_at)
            transaction.execute(_REQUEUE, (transaction.now, seq))
            transaction.execute("delete from blob where task = ? and kind = 1", (seq,))
            transaction.move(queue, state, READY)
            transaction.wakes.add(queue)
            dependencies.block_again(transaction, seq, queue)
            reached.add(task_id)
        answers.append(reached)
    return answers


_RUN_NOW = f"update task set state = 1, due_at = ? where state = 0 and {_WANTED} returning id, queue"


def run_now(transaction: Transaction, requests: Sequence[Collection[str]]) -> list[set[str]]:
    transaction.begin()
    answers = []
    for ids in requests:
        rows = transaction.execute(_RUN_NOW, (transaction.now, json.dumps(list(ids)))).fetchall()
        for _, queue in rows:
            transaction.move(queue, SCHEDULED, READY)
            transaction.wakes.add(queue)
        answers.append({task_id for task_id, _ in rows})
    return answers


def delete(transaction: Transaction, requests: Sequence[Collection[str]]) -> list[set[str]]:
    transaction.begin()
    answers = []
    for ids in requests:
        statement = f"delete from task where state <> 2 and {_WANTED} returning seq, id, queue, state"
        rows = transaction.execute(statement, (json.dumps(list(ids)),)).fetchall()
        dependencies.settle(
            transaction, [Ended(seq, key, "was deleted") for seq, key, _, state in rows if state < SUCCESS]
        )
        _forget(transaction, [(seq, queue, state) for seq, _, queue, state in rows])
        answers.append({row[1] for row in rows})
    return answers


# A look first, without the lock: workers purge now and then, and mostly find nothing.
_ANY_DUE = "select 1 from task where purge_at is not null and purge_at <= ? limit 1"
_ANY_OLD = "select 1 from task where state >= 3 and finished_at <= ? limit 1"
# What an unfinished task needs stays until that has taken it.
_NOT_NEEDED = """not exists (select 1 from dependency join task dependent on dependent.seq = dependency.task
    where dependency.needs = task.seq and dependent.state < 3)"""
_PURGE_DUE = f"""delete from task where seq in (
  select seq from task where purge_at is not null and purge_at <= ? and state in (select value from json_each(?))
    and {_NOT_NEEDED}
  order by purge_at limit ?) and state >= 3 returning seq, queue, state"""
_PURGE_OLD = f"""delete from task where seq in (
  select seq from task where state >= 3 and finished_at <= ? and state in (select value from json_each(?))
    and {_NOT_NEEDED}
  order by finished_at limit ?) returning seq, queue, state"""


def purge(
    transaction: Transaction, requests: Sequence[tuple[float | None, Collection[TaskStatus] | None, int]]
) -> list[int]:
    answers = []
    for older_than, statuses, limit in requests:
        look, statement = (_ANY_DUE, _PURGE_DUE) if older_than is None else (_ANY_OLD, _PURGE_OLD)
        moment = transaction.now - round((older_than or 0) * 1_000_000)
        if transaction.execute(look, (moment,)).fetchone() is None:
            answers.append(0)
            continue
        transaction.begin()
        wanted = FINAL if statuses is None else statuses
        states = json.dumps([state for status in wanted for state in STATES[TaskStatus(status)]])
        rows = transaction.execute(statement, (moment, states, limit)).fetchall()
        _forget(transaction, rows)
        answers.append(len(rows))
    return answers


def _forget(transaction: Transaction, rows: Sequence[tuple[int, str, int]]) -> None:
    """Remove what is kept about deleted tasks, given as (seq, queue, state), and count them out."""
    seqs = (json.dumps([seq for seq, _, _ in rows]),)
    for table in ("blob", "attempt", "output"):
        transaction.execute(f"delete from {table} where task in (select value from json_each(?))", seqs)
    transaction.execute("delete from dependency where task in (select value from json_each(?))", seqs)
    transaction.execute("delete from dependency where needs in (select value from json_each(?))", seqs)
    for _, queue, state in rows:
        transaction.count(queue, state, -1)


def set_paused(transaction: Transaction, requests: Sequence[tuple[str, bool]]) -> list[None]:
    transaction.begin()
    for queue, paused in requests:
        statement = "insert or ignore into paused values (?)" if paused else "delete from paused where queue = ?"
        transaction.execute(statement, (queue,))
        transaction.wakes.add(queue)
    return [None] * len(requests)
