"""Who runs what on a SQLite store: workers, their leases, and the recovery of what a dead one held."""

import json
import time
from collections.abc import Callable, Mapping, Sequence

from sitq._process import ProcessIdentity
from sitq.backends.leases import LeaseTrust
from sitq.backends.moments import in_microseconds, in_seconds, since_epoch
from sitq.backends.sqlite.endings import remember, stop_between_attempts
from sitq.backends.sqlite.writer import Transaction
from sitq.backends.states import READY, RUNNING
from sitq.core import Cause, WorkerInfo

LOOK_INTERVAL = 0.2  # seconds between two looks at the other workers

_NEIGHBOURS = """select seq, id, host, pid, process, lease, expires_at from worker
  where stopped_at is null and seq <> ?"""


class Owners:
    """Finds workers that died, and gives back what they held.

    A worker is dead when its process has surely ended, or when its lease is over. After a suspend every lease looks
    over, so that for one lease only the first proof counts.

    Args:
        clock: tells seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._looked_at = -LOOK_INTERVAL
        self._trust = LeaseTrust(clock())
        self._neighbours: tuple[ProcessIdentity, ...] = ()
        self._one_died = False

    def release_dead(self, transaction: Transaction, own_seq: int) -> None:
        """Give back what dead workers held, at most a few times a second. Reads only when all live."""
        monotonic = time.monotonic()
        if monotonic - self._looked_at < LOOK_INTERVAL and not self._one_died:
            return
        rows = transaction.execute(_NEIGHBOURS, (own_seq,)).fetchall()
        longest_lease = in_seconds(max((row[5] for row in rows), default=0))
        self._trust.compare(self._clock(), longest_lease=longest_lease)
        neighbours = []
        for seq, worker_id, host, pid, process, lease, expires_at in rows:
            identity = ProcessIdentity(host, pid, process)
            if identity.is_surely_dead() or self._is_over(transaction, seq, lease, expires_at):
                give_back(transaction, seq, Cause.LOST, f"TaskLostError: worker {worker_id} died while running it")
            else:
                neighbours.append(identity)
        # Only now, so that a transaction that was rolled back looks again.
        self._looked_at, self._neighbours, self._one_died = monotonic, tuple(neighbours), False

    def notice_death(self) -> bool:
        """Tell whether the process of a known other worker has ended since the last look; touches no database."""
        self._one_died = self._one_died or any(identity.is_surely_dead() for identity in self._neighbours)
        return self._one_died

    def _is_over(self, transaction: Transaction, seq: int, lease: int, expires_at: int) -> bool:
        if expires_at > transaction.now + lease:
            # The clock was set back: shorten the lease to its length, or it would hold until the clock has caught up.
            transaction.begin()
            transaction.execute("update worker set expires_at = ? where seq = ?", (transaction.now + lease, seq))
            return False
        if expires_at >= transaction.now or not self._trust.holds:
            return False
        transaction.begin()
        # It may have renewed its lease while this transaction waited for the lock.
        return transaction.execute(_STILL_OVER, (seq, transaction.now)).fetchone() is not None


_STILL_OVER = "select 1 from worker where seq = ? and stopped_at is null and expires_at < ?"
_HOLDS = "select seq, id, queue, cancel from task where state = 2 and worker = ?"
_LOSE = """update task set state = 1, worker = null, started_at = null, crashes = crashes + ?,
  error = coalesce(?, error),
  progress_done = null, progress_total = null, progress_message = null where seq = ?"""


def give_back(transaction: Transaction, worker_seq: int, cause: Cause, error: str | None) -> None:
    """Make all that a worker holds ready again, and close its row."""
    transaction.begin()
    for seq, task_id, queue, cancelled in transaction.execute(_HOLDS, (worker_seq,)).fetchall():
        remember(transaction, seq, transaction.now, cause, error)
        if cancelled:
            stop_between_attempts(transaction, seq, task_id, queue)
            continue
        transaction.execute(_LOSE, (cause is Cause.LOST, error, seq))
        transaction.move(queue, RUNNING, READY)
        transaction.wakes.add(queue)
    transaction.execute("update worker set stopped_at = ? where seq = ?", (transaction.now, worker_seq))


_RENEW = """update worker set seen_at = ?, lease = ?, expires_at = ? where id = ? and stopped_at is null
  returning seq"""
_REGISTER = """insert into worker(id, host, pid, process, queues, max_concurrency, python, started_at, seen_at,
  lease, expires_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_HELD = "select id, attempt, cancel from task where state = 2 and worker = ?"

Beat = tuple[WorkerInfo, Mapping[str, int], float]


def heartbeat(transaction: Transaction, requests: Sequence[Beat]) -> list[set[str]]:
    transaction.begin()
    return [_beat(transaction, worker, claims, lease) for worker, claims, lease in requests]


def _beat(transaction: Transaction, worker: WorkerInfo, claims: Mapping[str, int], lease: float) -> set[str]:
    now, length = transaction.now, in_microseconds(lease)
    row = transaction.execute(_RENEW, (now, length, now + length, worker.id)).fetchone()
    if row is None:
        if lease > 0:
            _register(transaction, worker, length)
        return set(claims)
    (seq,) = row
    stops = _stops(transaction, seq, claims)
    if lease <= 0:
        give_back(transaction, seq, Cause.RELEASED, None)
    return stops


def _register(transaction: Transaction, worker: WorkerInfo, length: int) -> None:
    queues = None if worker.queues is None else json.dumps(worker.queues)
    started_at = since_epoch(worker.started_at)
    identity = (worker.id, worker.host, worker.pid, worker.process, queues, worker.max_concurrency, worker.python)
    now = transaction.now
    transaction.execute(_REGISTER, (*identity, started_at, now, length, now + length))


def _stops(transaction: Transaction, seq: int, claims: Mapping[str, int]) -> set[str]:
    """Tell which of a worker's claims are lost or cancelled."""
    held = {task_id: (attempt, cancel) for task_id, attempt, cancel in transaction.execute(_HELD, (seq,))}
    lost = {task_id for task_id, attempt in claims.items() if held.get(task_id, (0, 0))[0] != attempt}
    return lost | {task_id for task_id, (_, cancel) in held.items() if cancel}
