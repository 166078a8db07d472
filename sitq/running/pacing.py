"""How far ahead a worker claims, how often it asks its store, and how long it waits after trouble with it."""

import asyncio
import random
from collections.abc import Callable

from sitq.exceptions import BackendError, ResourceExhaustionError

# A task claimed ahead waits behind those that run: at most this many seconds of work are held, and this many tasks.
_AHEAD_SECONDS = 0.02
_AHEAD_TASKS = 64


class Pace:
    """Measures how long tasks take, to say how many to claim ahead of free slots.

    Claiming ahead doubles the rate of tasks that take microseconds, and is nothing for those that take seconds.

    Args:
        max_concurrency: tasks that run at once.
    """

    def __init__(self, max_concurrency: int) -> None:
        self._max_concurrency = max_concurrency
        self._mean: float | None = None
        self.ahead = 0

    def note(self, duration: float) -> None:
        """Take the seconds of one attempt into the estimate: up at once, down slowly, so that a slow one counts."""
        mean = duration if self._mean is None else max(duration, self._mean * 0.9 + duration * 0.1)
        self._mean = mean
        self.ahead = min(_AHEAD_TASKS, int(_AHEAD_SECONDS * self._max_concurrency / max(mean, 1e-6)))


# Trips in a row on a stream of tasks before the worker lets more gather, and trips a second in the long run.
_BURST = 8
_TRIPS_PER_SECOND = 400
_SMALL = 16  # tasks moved by a trip that counts as small even if more waits behind it


class TripBudget:
    """Lets a lone task through at once, and makes a steady stream of them travel together.

    Each trip takes the store's write lock, which the producers need too: without this, a worker that answered every
    task of a stream halved the rate of the process that enqueued them.

    Args:
        clock: tells seconds; the loop's own.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._left = float(_BURST)
        self._counted_at = clock()

    def note(self, *, finished: int, claimed: int, asked: int) -> None:
        """Take a trip off the budget if it brought part of a stream: a few tasks, but neither one nor a full load."""
        now = self._clock()
        self._left = min(_BURST, self._left + (now - self._counted_at) * _TRIPS_PER_SECOND)
        self._counted_at = now
        full = claimed >= asked and finished + claimed >= _SMALL
        if claimed > 1 and not full:
            self._left -= 1

    def pause(self) -> float:
        """Seconds to wait before the next trip; 0 while the budget lasts."""
        return max(0.0, (1 - self._left) / _TRIPS_PER_SECOND)


class Backoff:
    """Waits longer after each trouble in a row, from 0.1 to 5 seconds, with jitter."""

    def __init__(self) -> None:
        self._seconds = 0.1

    def may_retry(self, exc: Exception) -> bool:
        """Tell trouble that can pass by itself (a full disk, a lock held) from what needs a person."""
        return isinstance(exc, ResourceExhaustionError) or (isinstance(exc, BackendError) and exc.transient)

    async def sleep(self) -> None:
        await asyncio.sleep(self._seconds * random.uniform(0.5, 1.0))
        self._seconds = min(self._seconds * 2, 5.0)

    def reset(self) -> None:
        self._seconds = 0.1
