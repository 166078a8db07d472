"""The worker's verbs on a SQLite store: claim, finish, heartbeat."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sitq.backends.moments import in_microseconds
from sitq.backends.sqlite.dependencies import settle_finished
from sitq.backends.sqlite.endings import expire, remember, stop_between_attempts
from sitq.backends.sqlite.errors import UNREADABLE, is_unreadable
from sitq.backends.sqlite.handing import CLAIMED, ONE_LANE, Row, as_claim, claim_order, fail_unreadable, is_expired
from sitq.backends.sqlite.owners import Owners
from sitq.backends.sqlite.schema import INLINE_LIMIT, VALUE
from sitq.backends.sqlite.tasks import slices
from sitq.backends.sqlite.writer import CollisionError, Transaction
from sitq.backends.states import PARKED, READY, RUNNING, SCHEDULED, STATES, SUCCESS
from sitq.core import Cause, Claim, Outcome, TaskStatus

_WIDEST = 32  # outcomes in one statement


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a worker asks for when it claims; `limit` 0 asks for nothing."""

    worker_id: str = ""
    queues: Sequence[str] | None = None
    limit: int = 0


class ClaimVerbs:
    """Hands tasks out and takes outcomes back. It remembers which other workers may have died."""

    def __init__(self, owners: Owners) -> None:
        self._owners = owners

    def exchange(
        self, transaction: Transaction, requests: Sequence[tuple[Sequence[Outcome], Demand]]
    ) -> list[tuple[set[str], list[Claim]]]:
        """Finish all outcomes, then claim for each demand, in one transaction."""
        outcomes = [outcome for request, _ in requests for outcome in request]
        accepted = _finish(transaction, outcomes) if outcomes else set()
        return [
            (accepted.intersection(outcome.id for outcome in own), self._claim(transaction, demand))
            for own, demand in requests
        ]

    def _claim(self, transaction: Transaction, demand: Demand) -> list[Claim]:
        if demand.limit <= 0:
            return []
        worker = transaction.execute(_ALIVE, (demand.worker_id,)).fetchone()
        if worker is None:
            return []
        seq, python = worker
        self._owners.release_dead(transaction, seq)
        queues = _claimable(transaction, demand.queues, python)
        if not queues:
            return []
        transaction.begin()
        if transaction.execute(_ALIVE, (demand.worker_id,)).fetchone() != worker:
            return []  # declared dead while it waited for the lock
        if transaction.careful:
            fail_unreadable(transaction, queues, demand.limit)
        try:
            return _take(transaction, seq, python, queues, demand.limit)
        except (sqlite3.OperationalError, *UNREADABLE) as exc:
            if transaction.careful or not is_unreadable(exc):
                raise
            raise CollisionError from exc


def _take(transaction: Transaction, worker: int, python: str, queues: Sequence[str], limit: int) -> list[Claim]:
    claims: list[Row] = []
    while len(claims) < limit:
        taken = transaction.execute(
            _claim_statement(len(queues)), (worker, transaction.now, *queues, limit - len(claims))
        ).fetchall()
        if not taken:
            break
        claims += _keep_fit(transaction, taken, python)
    # RETURNING gives rows in no certain order.
    claims.sort(key=claim_order)
    return [as_claim(transaction, row) for row in claims]


_ALIVE = "select seq, python from worker where id = ? and stopped_at is null"

# Several lanes merge their indexes in order; `queue in (…)` would sort all that is ready.
_LANE = "select seq, priority, due_at from task where state = 1 and queue = ?"
_CLAIM = (
    """update task set state = 2, attempt = attempt + 1, worker = ?, started_at = ?, cause = null
  where seq in ({}) returning """
    + CLAIMED
)


@cache
def _claim_statement(lanes: int) -> str:
    if lanes == 1:
        return _CLAIM.format(ONE_LANE)
    merged = " union all ".join([_LANE] * lanes)
    return _CLAIM.format(f"select seq from ({merged} order by priority desc, due_at, seq limit ?)")


def _claimable(transaction: Transaction, queues: Sequence[str] | None, python: str) -> list[str]:
    """Name the lanes that have something to claim, after making due and fitting tasks ready.

    Reads only, without the write lock, when there is nothing to do.
    """
    counts = transaction.unfinished()
    if not counts:
        return []
    if any(state == SCHEDULED for _, state in counts):
        counts = _promote(transaction) or counts
    if any(state == PARKED for _, state in counts):
        counts = _unpark(transaction, python) or counts
    ready = {queue for queue, state in counts if state == READY}
    if queues is not None:
        ready.intersection_update(queues)
    if ready:
        ready.difference_update(queue for (queue,) in transaction.execute("select queue from paused"))
    return sorted(ready)


_DUE = "select min(due_at) from task where state = 0"
_PROMOTE = """update task set state = 1 where seq in (
  select seq from task where state = 0 and due_at <= ? order by due_at limit 500) returning queue"""
_UNPARK = """update task set state = 1 where seq in (
  select seq from task where state = -2 and python = ? limit 500) returning queue"""


def _promote(transaction: Transaction) -> dict[tuple[str, int], int] | None:
    """Make scheduled tasks ready whose moment has come; answers the new counts if there were any."""
    (due_at,) = transaction.execute(_DUE).fetchone()
    if not isinstance(due_at, int):  # nothing, or what is no moment
        return None
    if due_at > transaction.now:
        transaction.plan(due_at)
        return None
    transaction.begin()
    for (queue,) in transaction.execute(_PROMOTE, (transaction.now,)).fetchall():
        transaction.move(queue, SCHEDULED, READY)
    (due_at,) = transaction.execute(_DUE).fetchone()
    if due_at is not None:
        transaction.plan(due_at)
    return transaction.unfinished()


def _unpark(transaction: Transaction, python: str) -> dict[tuple[str, int], int] | None:
    """Make tasks ready that waited for a worker of this Python version."""
    if transaction.execute("select 1 from task where state = -2 and python = ?", (python,)).fetchone() is None:
        return None
    transaction.begin()
    for (queue,) in transaction.execute(_UNPARK, (python,)).fetchall():
        transaction.move(queue, PARKED, READY)
    return transaction.unfinished()


# The claim is undone within its own transaction: nobody has seen the higher attempt.
_PARK = "update task set state = -2, attempt = attempt - 1, worker = null, started_at = null where seq = ?"
_UNCLAIM = "update task set attempt = attempt - 1, worker = null, started_at = null where seq = ?"


def _keep_fit(transaction: Transaction, rows: list[Row], python: str) -> list[Row]:
    """Keep the claimed rows that may run here; park those of another Python version and cancel the expired ones."""
    fit = []
    for row in rows:
        seq, task_id, queue, wanted = row[0], row[1], row[4], row[14]
        if is_expired(row, transaction.now):
            transaction.execute(_UNCLAIM, (seq,))
            expire(transaction, [(seq, task_id, queue, READY)])
        elif wanted is not None and wanted != python:
            transaction.execute(_PARK, (seq,))
            transaction.move(queue, READY, PARKED)
        else:
            transaction.move(queue, READY, RUNNING)
            fit.append(row)
    return fit


def _finish(transaction: Transaction, outcomes: Sequence[Outcome]) -> set[str]:
    transaction.begin()
    final = [outcome for outcome in outcomes if outcome.status.is_final]
    accepted = {outcome.id for outcome in _finish_final(transaction, final)} if final else set()
    if len(final) < len(outcomes):
        for outcome in outcomes:
            if not outcome.status.is_final and _put_back(transaction, outcome):
                accepted.add(outcome.id)
    return accepted


def _finish_final(transaction: Transaction, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    """Write final outcomes and answer those that were accepted: many to a statement, or singly if one is refused."""
    if transaction.careful:
        accepted = [outcome for outcome in outcomes if _write_final(transaction, (outcome,))]
    elif all(_write_final(transaction, slice_) == len(slice_) for slice_ in slices(outcomes, _WIDEST)):
        accepted = list(outcomes)
    else:
        raise CollisionError
    for outcome in accepted:
        transaction.move(outcome.queue, RUNNING, STATES[outcome.status][0])
        transaction.wakes.add(outcome.id)
        if outcome.value is not None and len(outcome.value) > INLINE_LIMIT:
            transaction.execute(_LONG_VALUE, (VALUE, outcome.value, outcome.id))
    settle_finished(transaction, accepted)
    return accepted


_LONG_VALUE = "insert or replace into blob select seq, ?, ? from task where id = ?"


# `started_at` becomes the true start, as a claim may lie waiting. (With a common table expression in front of the
# values, Python would not count the rows.)
_END = """update task set state = {}, cause = {}, error = {}, traceback = {}, value = column3,
    started_at = ? - column4, finished_at = ?, purge_at = case when retention is not null then ? + retention end
  from (values {})
  where task.id = column1 and task.attempt = column2 and task.state = 2"""


@cache
def _success_statement(rows: int) -> str:
    """Write successes, which differ in four values: to bind what they have in common would take 1.2 µs each."""
    return _END.format(SUCCESS, f"'{Cause.SUCCESS}'", "null", "null", ", ".join(["(?, ?, ?, ?)"] * rows))


@cache
def _final_statement(rows: int) -> str:
    places = ", ".join(["(?, ?, ?, ?, ?, ?, ?, ?)"] * rows)
    return _END.format("column5", "column6", "column7", "column8", places)


def _is_success(outcome: Outcome) -> bool:
    """Tell whether nothing more can be said of it than its value."""
    succeeded = outcome.status is TaskStatus.SUCCESS and outcome.cause is Cause.SUCCESS
    return succeeded and outcome.error is None and outcome.traceback is None


def _success_values(outcome: Outcome) -> tuple[Any, ...]:
    value = outcome.value
    inline = None if value is not None and len(value) > INLINE_LIMIT else value
    return outcome.id, outcome.attempt, inline, in_microseconds(outcome.duration)


def _final_values(outcome: Outcome) -> tuple[Any, ...]:
    state = STATES[outcome.status][0]
    return *_success_values(outcome), state, outcome.cause, outcome.error, outcome.traceback


def _write_final(transaction: Transaction, outcomes: Sequence[Outcome]) -> int:
    """Write outcomes under their fence in one statement, and tell how many of them were accepted."""
    now = transaction.now
    all_succeeded = all(map(_is_success, outcomes))
    statement = (_success_statement if all_succeeded else _final_statement)(len(outcomes))
    values_of = _success_values if all_succeeded else _final_values
    values = [value for outcome in outcomes for value in values_of(outcome)]
    return transaction.execute(statement, (now, now, now, *values)).rowcount


_RUNNING = "select seq, queue, cancel from task where id = ? and state = 2 and attempt = ?"
_PUT_BACK = """update task set state = ?, due_at = ?, worker = null, started_at = null, cause = null,
  error = coalesce(?, error),
  failures = failures + ?, crashes = crashes + ?,
  progress_done = null, progress_total = null, progress_message = null where seq = ?"""

_NEVER_BEGAN = "update task set worker = null, started_at = null where seq = ?"  # which is no part of the history


def _put_back(transaction: Transaction, outcome: Outcome) -> bool:
    """Make a running task pending again, and keep the attempt in its history."""
    row = transaction.execute(_RUNNING, (outcome.id, outcome.attempt)).fetchone()
    if row is None:
        return False
    seq, queue, cancelled = row
    now = transaction.now
    if outcome.cause is not Cause.RELEASED or outcome.duration > 0:
        remember(transaction, seq, now, outcome.cause, outcome.error, outcome.traceback)
    else:
        transaction.execute(_NEVER_BEGAN, (seq,))
    if cancelled:
        stop_between_attempts(transaction, seq, outcome.id, queue)
        return True
    due_at = now + in_microseconds(outcome.delay)
    state = SCHEDULED if outcome.delay > 0 else READY
    failed = outcome.cause in (Cause.ERROR, Cause.TIMEOUT)
    transaction.execute(_PUT_BACK, (state, due_at, outcome.error, failed, outcome.cause is Cause.LOST, seq))
    transaction.move(queue, RUNNING, state)
    if state == SCHEDULED:
        transaction.plan(due_at)
    else:
        transaction.wakes.add(queue)
    return True
