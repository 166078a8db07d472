"""Whether a lease that is over proves that its worker died: after a suspend of the machine every lease looks over."""

import time

_JUMP = 1.0  # seconds by which wall time may outrun monotonic time before a suspend is assumed


class LeaseTrust:
    """Takes no lease for over, for the length of one, after wall time has outrun monotonic time.

    Args:
        wall: seconds since the epoch, by the clock that decides about leases; None while it has not been asked.
    """

    def __init__(self, wall: float | None = None) -> None:
        self._wall = wall
        self._read_at = time.monotonic()
        self._no_lease_ends_before = float("-inf")

    def compare(self, wall: float, *, longest_lease: float, was_away: bool = False) -> None:
        """Compare that clock with the monotonic one.

        Args:
            longest_lease: seconds of the longest lease that is about.
            was_away: nobody could renew a lease for some other reason.
        """
        monotonic = time.monotonic()
        jumped = self._wall is not None and wall - self._wall > monotonic - self._read_at + _JUMP
        if jumped or was_away:
            self._no_lease_ends_before = monotonic + longest_lease
        self._wall, self._read_at = wall, monotonic

    @property
    def holds(self) -> bool:
        return time.monotonic() >= self._no_lease_ends_before
