"""How tasks end on a SQLite store other than by an outcome, and how an attempt that has ended is remembered."""

from collections.abc import Iterable

from sitq.backends.sqlite import dependencies
from sitq.backends.sqlite.dependencies import Ended
from sitq.backends.sqlite.writer import Transaction
from sitq.backends.states import CANCELLED, RUNNING
from sitq.core import Cause

_CANCEL = """update task set state = 5, cause = ?, error = ?, finished_at = ?,
  purge_at = case when retention is not null then ? + retention end where seq = ?"""


def make_cancelled(transaction: Transaction, rows: Iterable[tuple[int, str, str, int]], error: str) -> None:
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
    make_cancelled(transaction, rows, "TaskCancelledError: it did not start before it expired")


_REMEMBER = """insert or ignore into attempt
  select seq, attempt, worker, started_at, ?, coalesce(?, cause), coalesce(?, error), coalesce(?, traceback)
  from task where seq = ? and attempt > 0"""


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
