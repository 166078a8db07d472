"""The verb of producers on a SQLite store: tasks come in, under their keys and behind what they need."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import islice
from typing import Any, TypeVar

from sitq.backends.moments import in_microseconds, optional, since_epoch
from sitq.backends.refusals import key_is_held
from sitq.backends.sqlite import dependencies
from sitq.backends.sqlite.endings import make_cancelled
from sitq.backends.sqlite.schema import INLINE_LIMIT, PAYLOAD
from sitq.backends.sqlite.writer import CollisionError, Transaction
from sitq.backends.states import READY, RUNNING, SCHEDULED
from sitq.core import OnConflict, Task

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
        due_at = since_epoch(task.eta)
    else:
        due_at = now + in_microseconds(task.delay) if task.delay > 0 else now
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
        None if task.expires is None else now + in_microseconds(task.expires),
        optional(in_microseconds, task.timeout),
        optional(in_microseconds, task.retention),
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


HOLDER = "select seq, id, queue, state from task where key = ? and state < 3"


def _make_place(transaction: Transaction, task: Task) -> str | None:
    """Apply the task's policy to the unfinished holder of its key; returns the holder's id if that is the answer."""
    holder = transaction.execute(HOLDER, (task.key,)).fetchone()
    if holder is None:
        return None
    seq, holder_id, queue, state = holder
    if task.on_conflict is OnConflict.RETURN:
        return str(holder_id)
    if task.on_conflict is OnConflict.REPLACE and state != RUNNING:
        make_cancelled(transaction, [(seq, holder_id, queue, state)], f"replaced by {task.id}")
        return None
    raise key_is_held(task.key, holder_id, running=state == RUNNING)
