"""Who runs what on a PostgreSQL store: heartbeats, and the workers that died."""

import json
import time
from collections.abc import Mapping
from typing import Any

from sitq._process import ProcessIdentity
from sitq.backends.leases import LeaseTrust
from sitq.backends.postgres.address import Address
from sitq.backends.postgres.session import Connection
from sitq.core import WorkerInfo

LOOK_INTERVAL = 0.2  # seconds between two looks at the other workers
_LATEST_LOOK = 1.0  # the same, while there is always something to claim

# A lease longer than itself was given before the server's clock was set back: it would hold until that has caught up.
_LIVING = """select seq, id, host, pid, process, lease, expires_at < clock_timestamp(),
  extract(epoch from clock_timestamp())::float8, expires_at > clock_timestamp() + lease * interval '1 second'
  from sitq.worker where stopped_at is null and id <> $1"""
_SHORTEN = """update sitq.worker set expires_at = clock_timestamp() + lease * interval '1 second'
  where seq = any($1::bigint[]) and expires_at > clock_timestamp() + lease * interval '1 second'"""
_RELEASE = "select sitq.release($1::bigint[], $2::bigint[])"


class Owners:
    """Finds workers that died, and gives back what they held.

    A worker is dead when its process has surely ended, or when its lease is over. After a suspend, or a time in which
    nobody reached the server, every lease looks over: for one lease only the first proof counts then.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._looked_at = float("-inf")
        self._trust = LeaseTrust()
        self._was_away = False
        self._neighbours: tuple[ProcessIdentity, ...] = ()
        self._one_died = False

    def forgive(self) -> None:
        """Give all workers a lease's time to be heard of: the server was away, maybe for all of them."""
        self._was_away = True

    @property
    def may_look(self) -> bool:
        """It is time for a look when nothing else is to be done."""
        return self._one_died or time.monotonic() - self._looked_at >= LOOK_INTERVAL

    @property
    def must_look(self) -> bool:
        """It is time for a look, whatever is to be done."""
        return time.monotonic() - self._looked_at >= _LATEST_LOOK

    async def release_dead(self, connection: Connection, worker_id: str) -> bool:
        """Give back what dead workers other than this one held, and tell whether there were any."""
        monotonic = time.monotonic()
        rows = await connection.fetch(self._address.sql(_LIVING), worker_id)
        if rows:
            longest_lease = max(row[5] for row in rows)
            self._trust.compare(rows[0][7], longest_lease=longest_lease, was_away=self._was_away)
            self._was_away = False
        dead, overdue, set_back, neighbours = [], [], [], []
        for seq, _, host, pid, process, _, is_over, _, is_too_long in rows:
            identity = ProcessIdentity(host, pid, process)
            if identity.is_surely_dead():
                dead.append(seq)
            elif is_over and self._trust.holds:
                overdue.append(seq)
            else:
                neighbours.append(identity)
                set_back += [seq] if is_too_long else []
        if set_back:
            await connection.execute(self._address.sql(_SHORTEN), set_back)
        if dead or overdue:
            await connection.execute(self._address.sql(_RELEASE), dead, overdue)
        # Only now, so that a look that failed is made again.
        self._looked_at, self._neighbours, self._one_died = monotonic, tuple(neighbours), False
        return bool(dead or overdue)

    def notice_death(self) -> bool:
        """Tell whether the process of a known other worker has ended since the last look; asks no server."""
        self._one_died = self._one_died or any(identity.is_surely_dead() for identity in self._neighbours)
        return self._one_died


_HEARTBEAT = """select sitq.heartbeat($1::text, $2::text, $3::bigint, $4::text, $5::text, $6::bigint, $7::text,
  $8::timestamptz, $9::float8, $10::text[], $11::integer[])"""

Beat = tuple[WorkerInfo, Mapping[str, int], float]


async def heartbeat(connection: Connection, address: Address, request: Beat) -> set[str]:
    worker, claims, lease = request
    stops: list[Any] = await connection.fetch(
        address.sql(_HEARTBEAT),
        worker.id,
        worker.host,
        worker.pid,
        worker.process,
        None if worker.queues is None else json.dumps(worker.queues),
        worker.max_concurrency,
        worker.python,
        worker.started_at,
        lease,
        list(claims),
        list(claims.values()),
    )
    return {task_id for (task_id,) in stops}
