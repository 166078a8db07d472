"""The other workers of a Redis store: who of them lives on this machine, and whose process has died."""

import time
from collections.abc import Sequence
from typing import Any

from sitq._process import ProcessIdentity, this_process
from sitq.backends.leases import LeaseTrust

LOOK_INTERVAL = 0.2  # seconds between two looks at the list of workers, and at the processes of those on this machine
_LONGEST_LEASE = 60.0  # seconds after a suspend in which no lease is taken for over


class Neighbours:
    """Knows the other workers, and notices when the process of one on this machine has surely died."""

    def __init__(self) -> None:
        self._here: dict[str, ProcessIdentity] = {}
        self.one_died = False  # as far as noticed
        self._asked_at = self._watched_at = float("-inf")
        self._trust = LeaseTrust(time.time())

    def wants_look(self) -> bool:
        """Tell whether it is time to ask the server for the workers."""
        now = time.monotonic()
        if now - self._asked_at < LOOK_INTERVAL and not self.one_died:
            return False
        self._asked_at = now
        return True

    def learn(self, rows: Sequence[Sequence[Any]]) -> None:
        """Take the other workers from an answer; only those on this machine can be watched."""
        here = this_process().host
        self._here = {
            worker.decode(): ProcessIdentity(here, int(pid), process.decode())
            for worker, host, pid, process in rows
            if host.decode() == here
        }
        self._watched_at = float("-inf")  # one may be dead already

    @property
    def watched(self) -> bool:
        return bool(self._here)

    def notice_death(self) -> bool:
        """Tell whether the process of another worker has ended; asks the system alone, a few times a second."""
        now = time.monotonic()
        if not self.one_died and now - self._watched_at >= LOOK_INTERVAL:
            self._watched_at = now
            self.one_died = any(identity.is_surely_dead() for identity in self._here.values())
        return self.one_died

    def take_dead(self) -> dict[str, str]:
        """Name those that have surely died, with the process that each was."""
        dead = {worker: identity.token for worker, identity in self._here.items() if identity.is_surely_dead()}
        self._here = {worker: identity for worker, identity in self._here.items() if worker not in dead}
        self.one_died = False
        return dead

    def may_judge(self) -> bool:
        """Tell whether a lease that is over means a dead worker: after a suspend of this machine it need not."""
        self._trust.compare(time.time(), longest_lease=_LONGEST_LEASE)
        return self._trust.holds
