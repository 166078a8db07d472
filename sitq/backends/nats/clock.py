"""The store's clock, read from here: the server's time, carried on by this machine's monotonic clock."""

import time
from datetime import datetime

from sitq.backends.moments import in_microseconds, since_epoch

_JUMP = 1_000_000  # microseconds by which the server's time may outrun ours before a suspend is assumed


class StoreClock:
    """Tells the server's time in microseconds since the epoch, as it was told last plus what has passed since.

    Without the server's word it tells this machine's time.
    """

    def __init__(self) -> None:
        self._base = time.time_ns() // 1000
        self._read_at = time.monotonic()
        self._doubt = float("inf")
        self._jumped_at = float("-inf")
        self.told_at = float("-inf")  # by the monotonic clock

    def now(self) -> int:
        return self._base + round((time.monotonic() - self._read_at) * 1_000_000)

    def told(self, text: str, *, asked_at: float) -> None:
        """Take the moment of an answer to a question that was asked at `asked_at`, by the monotonic clock.

        The faster the answer, the surer the moment; an older word counts less by the minute.
        """
        self.told_at = heard_at = time.monotonic()
        doubt = (heard_at - asked_at) / 2
        if doubt > self._doubt + (heard_at - self._read_at) / 1000:
            return
        moment = since_epoch(datetime.fromisoformat(f"{text[:26].rstrip('Z')}+00:00")) + in_microseconds(doubt)
        if self._doubt < float("inf") and moment > self.now() + _JUMP:
            self._jumped_at = heard_at
        self._base, self._read_at, self._doubt = moment, heard_at, doubt

    def doubt_leases(self) -> None:
        """Treat leases as after a jump of time: nobody could renew them."""
        self._jumped_at = time.monotonic()

    def has_jumped(self, lease: float) -> bool:
        """Tell whether time jumped ahead within a lease: it looks over, and its worker may be about to renew it."""
        return time.monotonic() < self._jumped_at + lease
