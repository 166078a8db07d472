"""How far ahead a worker claims, and how long it waits after trouble with its store."""

import asyncio
import random

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
        """Take the seconds of one attempt into the moving mean of about the last ten."""
        mean = duration if self._mean is None else self._mean * 0.9 + duration * 0.1
        self._mean = mean
        self.ahead = min(_AHEAD_TASKS, int(_AHEAD_SECONDS * self._max_concurrency / max(mean, 1e-6)))


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
