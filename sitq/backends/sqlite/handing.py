"""The row of a task that is handed out: what is read of it, the claim made of it, and rows that nobody can read."""

import json
import sqlite3
from collections.abc import Sequence
from itertools import product
from types import NoneType
from typing import Any, TypeAlias

from sitq.backends.moments import in_seconds, optional
from sitq.backends.sqlite.dependencies import Ended, settle
from sitq.backends.sqlite.errors import UNREADABLE, described, is_unreadable
from sitq.backends.sqlite.occurrences import occurrence_of
from sitq.backends.sqlite.schema import PAYLOAD
from sitq.backends.sqlite.writer import Transaction
from sitq.backends.states import FAILED, READY
from sitq.core import Claim

Row: TypeAlias = tuple[Any, ...]

CLAIMED = """seq, id, attempt, name, queue, payload, failures, crashes, max_attempts, timeout, executor,
  priority, due_at, expires_at, python, on_failure is not null, meta, schedule"""
ONE_LANE = """select seq from task where state = 1 and queue = ?
  order by priority desc, due_at, seq limit ?"""


def claim_order(row: Row) -> tuple[int, int, int]:
    return -row[11], row[12], row[0]


def is_expired(row: Row, now: int) -> bool:
    return row[13] is not None and bool(row[13] < now)


# The types of what is read first, in every mixture that sitq writes.
_KINDS = frozenset(
    (int, str, int, str, str, payload, int, int, int, timeout, executor)
    for payload, timeout, executor in product((bytes, NoneType), (int, NoneType), (str, NoneType))
)


def as_claim(transaction: Transaction, row: Row) -> Claim:
    if tuple(map(type, row[:11])) not in _KINDS:
        raise TypeError(f"types that do not belong into its columns: {[type(value).__name__ for value in row[:11]]}")
    seq, task_id, attempt, name, queue, payload, failures, crashes, max_attempts, timeout, executor = row[:11]
    if payload is None:
        (payload,) = transaction.execute(
            "select data from blob where task = ? and kind = ?", (seq, PAYLOAD)
        ).fetchone() or (b"",)
    return Claim(
        id=task_id,
        attempt=attempt,
        name=name,
        queue=queue,
        payload=payload,
        failures=failures,
        crashes=crashes,
        max_attempts=max_attempts,
        timeout=optional(in_seconds, timeout),
        executor=executor,
        waited=bool(row[15]),
        meta=json.loads(row[16]) if row[16] else None,
        scheduled_at=occurrence_of(row[17])[1],
    )


_CANDIDATES = f"select seq from task where seq in ({ONE_LANE})"
_LOOK = f"select {CLAIMED} from task where seq = ?"
_FAIL = "update task set state = 4, cause = 'error', error = ?, finished_at = ?, worker = null where seq = ?"


def fail_unreadable(transaction: Transaction, queues: Sequence[str], limit: int) -> None:
    """Fail those among the next tasks whose rows hold what sitq did not write: nobody could ever claim past them."""
    for queue in queues:
        found = True
        while found:
            rows = transaction.execute(_CANDIDATES, (queue, limit)).fetchall()
            found = sum(_failed_unreadable(transaction, seq, queue) for (seq,) in rows) > 0


def _failed_unreadable(transaction: Transaction, seq: int, queue: str) -> bool:
    try:
        row = transaction.execute(_LOOK, (seq,)).fetchone()
        as_claim(transaction, row)
        claim_order(row)
        is_expired(row, transaction.now)
    except (sqlite3.OperationalError, *UNREADABLE) as exc:
        if not is_unreadable(exc):
            raise
        reason = f"BackendError: its row holds a value that sitq did not write, {described(exc)}"
        transaction.execute(_FAIL, (reason, transaction.now, seq))
        transaction.move(queue, READY, FAILED)
        settle(transaction, [Ended(seq, f"number {seq}", "failed")])
        return True
    return False
