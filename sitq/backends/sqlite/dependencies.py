"""Tasks that wait for other tasks on a SQLite store: counted down as those end, let go, or ended by their policy."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sitq.backends.refusals import need_is_missing
from sitq.backends.sqlite.reads import results
from sitq.backends.sqlite.writer import Transaction
from sitq.backends.states import BLOCKED, CANCELLED, FAILED, READY, SCHEDULED, SUCCESS
from sitq.core import Cause, OnFailure, Outcome, Result, Task


class Ended(NamedTuple):
    """A task that others may have waited for.

    Attributes:
        how: as in "failed" or "was deleted"; None when it succeeded.
    """

    seq: int
    id: str
    how: str | None


_NEEDED = "select seq, id, state from task where id in (select value from json_each(?))"
_NEED = "insert or ignore into dependency(needs, task, takes) values (?, ?, ?)"
_WAIT = "update task set state = -1, waiting = ?, on_failure = ? where seq = ?"


def insert(transaction: Transaction, seq: int, task: Task, queue: str, state: int) -> None:
    """Note what a task needs that was just inserted and counted in; it waits, or meets its policy.

    Raises:
        TaskQueueError: there is no task of an id that it needs.
    """
    found = {
        task_id: (needed, status)
        for needed, task_id, status in transaction.execute(_NEEDED, (json.dumps([*task.needs, *task.after]),))
        if needed != seq
    }
    for task_id in (*task.needs, *task.after):
        if task_id not in found:
            raise need_is_missing(task.name, task_id)
    taken = frozenset(task.needs)
    transaction.raw.executemany(_NEED, [(needed, seq, key in taken) for key, (needed, _) in found.items()])
    waiting = sum(status < SUCCESS for _, status in found.values())
    bad = next((Ended(needed, key, _how(status)) for key, (needed, status) in found.items() if status > SUCCESS), None)
    transaction.execute(_WAIT, (waiting, task.on_failure, seq))
    transaction.move(queue, state, BLOCKED)
    if bad is not None and task.on_failure is not OnFailure.RUN:
        _end(transaction, (seq, task.id, queue, task.on_failure), _reason(bad))
    elif waiting == 0:
        _let_go(transaction, [seq])


def _how(state: int) -> str | None:
    return {FAILED: "failed", CANCELLED: "was cancelled"}.get(state)


_SEQS = "select seq, id, state from task where id in (select value from json_each(?))"


def settle_finished(transaction: Transaction, outcomes: Iterable[Outcome]) -> None:
    """Let those go that waited for tasks which have just ended, or end them by their policy."""
    if transaction.has(BLOCKED):
        ids = json.dumps([outcome.id for outcome in outcomes])
        rows = transaction.execute(_SEQS, (ids,)).fetchall()
        settle(transaction, [Ended(seq, task_id, _how(state)) for seq, task_id, state in rows])


def settle(transaction: Transaction, ended: Iterable[Ended]) -> None:
    """Do what `settle_finished` does, and the same for those that ended by it, until nothing more comes of it."""
    news = list(ended)
    while news and transaction.has(BLOCKED):
        bad = [task for task in news if task.how is not None]
        doomed = _doomed(transaction, bad) if bad else []
        _count_down(transaction, [task.seq for task in news])
        news = doomed


# "cross" keeps SQLite to this order: with figures about a large store it would rather walk all dependencies.
_DOOMED = """select dependent.seq, dependent.id, dependent.queue, dependent.on_failure, dependency.needs
  from json_each(?) as ended cross join dependency on dependency.needs = ended.value
  cross join task dependent on dependent.seq = dependency.task
  where dependent.state = -1 and dependent.on_failure <> 'run' group by dependent.seq"""
_END = """update task set state = ?, cause = ?, error = ?, finished_at = ?, waiting = 0,
  purge_at = case when retention is not null then ? + retention end where seq = ?"""


def _doomed(transaction: Transaction, bad: Sequence[Ended]) -> list[Ended]:
    """End those that needed one of these and do not want to run without it."""
    reasons = {task.seq: _reason(task) for task in bad}
    rows = transaction.execute(_DOOMED, (json.dumps(list(reasons)),)).fetchall()
    return [_end(transaction, dependent, reasons[needed]) for *dependent, needed in rows]


def _reason(bad: Ended) -> str:
    return f"task {bad.id}, which it needs, {bad.how}"


def _end(transaction: Transaction, dependent: Sequence[Any], reason: str) -> Ended:
    """End a blocked task, given as (seq, id, queue, policy), as its policy says."""
    seq, task_id, queue, policy = dependent
    fails = policy == OnFailure.FAIL
    state, cause = (FAILED, Cause.ERROR) if fails else (CANCELLED, Cause.CANCELLED)
    error = f"{'TaskExecutionError' if fails else 'TaskCancelledError'}: {reason}"
    transaction.execute(_END, (state, cause, error, transaction.now, transaction.now, seq))
    transaction.move(queue, BLOCKED, state)
    transaction.wakes.add(task_id)
    return Ended(seq, task_id, _how(state))


_COUNT_DOWN = """update task set waiting = waiting - hit.n
  from (select dependency.task as seq, count(*) as n
    from json_each(?) as ended cross join dependency on dependency.needs = ended.value group by dependency.task) as hit
  where task.seq = hit.seq and task.state = -1 returning task.seq, task.waiting"""


def _count_down(transaction: Transaction, seqs: Sequence[int]) -> None:
    rows = transaction.execute(_COUNT_DOWN, (json.dumps(seqs),)).fetchall()
    _let_go(transaction, [seq for seq, waiting in rows if waiting <= 0])


_LET_GO = """update task set state = case when due_at > ? then 0 else 1 end, waiting = 0
  where seq in (select value from json_each(?)) returning queue, state, due_at"""


def _let_go(transaction: Transaction, seqs: Sequence[int]) -> None:
    """Make blocked tasks due, or scheduled when their moment has not come."""
    if not seqs:
        return
    for queue, state, due_at in transaction.execute(_LET_GO, (transaction.now, json.dumps(seqs))).fetchall():
        transaction.move(queue, BLOCKED, state)
        if state == SCHEDULED:
            transaction.plan(due_at)
        else:
            transaction.wakes.add(queue)


_COUNT_UP = """update task set waiting = waiting + 1
  where state = -1 and seq in (select task from dependency where needs = ?)"""
_STILL_UNFINISHED = """select count(*) from dependency join task needed on needed.seq = dependency.needs
  where dependency.task = ? and needed.state < 3"""


def block_again(transaction: Transaction, seq: int, queue: str) -> None:
    """Let a requeued task, which is ready, wait again for what it needs and has not ended, and let others wait for it.

    Who waits has counted what it needs and has not ended, no more and no less.
    """
    transaction.execute(_COUNT_UP, (seq,))
    (waiting,) = transaction.execute(_STILL_UNFINISHED, (seq,)).fetchone()
    if waiting:
        transaction.execute("update task set state = -1, waiting = ? where seq = ?", (waiting, seq))
        transaction.move(queue, READY, BLOCKED)


_TAKEN = """select needed.id from dependency join task needed on needed.seq = dependency.needs
  where dependency.task = (select seq from task where id = ?) and dependency.takes = 1"""


def inputs(raw: sqlite3.Connection, task_id: str) -> dict[str, Result]:
    return results(raw, [key for (key,) in raw.execute(_TAKEN, (task_id,))])


_ALL = """select needed.id from dependency join task needed on needed.seq = dependency.needs
  where dependency.task = (select seq from task where id = ?) order by needed.seq"""


def needs(raw: sqlite3.Connection, task_id: str) -> list[Any]:
    return [key for (key,) in raw.execute(_ALL, (task_id,))]
