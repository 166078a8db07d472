"""The verbs of people on a SQLite store: cancel, requeue, run now, delete, purge, pause."""

import json
from collections.abc import Collection, Sequence

from sitq.backends.moments import in_microseconds
from sitq.backends.sqlite import dependencies
from sitq.backends.sqlite.dependencies import Ended
from sitq.backends.sqlite.endings import make_cancelled, remember
from sitq.backends.sqlite.tasks import HOLDER
from sitq.backends.sqlite.writer import Transaction
from sitq.backends.states import READY, SCHEDULED, STATES, SUCCESS
from sitq.core import FINAL, TaskStatus

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
        make_cancelled(transaction, pending, "TaskCancelledError: it was cancelled before it started")
        running = transaction.execute(_ASK_TO_STOP, wanted).fetchall()
        transaction.wakes.update(task_id for task_id, _ in running)
        answers.append({row[1] for row in pending} | {task_id for task_id, _ in running})
    return answers


_REQUEUE = """update task set state = 1, due_at = ?, failures = 0, crashes = 0, cancel = 0, cause = null,
  worker = null, started_at = null, finished_at = null, expires_at = null, purge_at = null, error = null,
  traceback = null, value = null,
  progress_done = null, progress_total = null, progress_message = null where seq = ?"""
_REQUEUABLE = f"select seq, id, queue, state, finished_at, key from task where state >= 4 and {_WANTED}"


def requeue(transaction: Transaction, requests: Sequence[Collection[str]]) -> list[set[str]]:
    transaction.begin()
    answers = []
    for ids in requests:
        reached = set()
        rows = transaction.execute(_REQUEUABLE, (json.dumps(list(ids)),)).fetchall()
        for seq, task_id, queue, state, finished_at, key in sorted(rows):  # the older first: others may need them
            if key is not None and transaction.execute(HOLDER, (key,)).fetchone():
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


_RUN_NOW = f"update task set state = 1, due_at = ? where state = 0 and due_at > ? and {_WANTED} returning id, queue"


def run_now(transaction: Transaction, requests: Sequence[Collection[str]]) -> list[set[str]]:
    transaction.begin()
    answers = []
    for ids in requests:
        rows = transaction.execute(_RUN_NOW, (transaction.now, transaction.now, json.dumps(list(ids)))).fetchall()
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
        moment = transaction.now - in_microseconds(older_than or 0)
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
