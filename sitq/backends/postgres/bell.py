"""Wakes who waits for a change of a store, as the server tells of it."""

import asyncio
import json

from sitq.backends.waiters import Waiters


class Bell:
    """Wakes the waiters of one backend, on its loop, and knows when the next task becomes due.

    Attributes:
        due: when it does, by the loop's clock; None when nothing is known to.
        stops: how often it was told that running tasks are to stop.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.waiters = Waiters()
        self.due: float | None = None
        self.stops = 0

    def close(self) -> None:
        """Let all waiters go. Harmless after the loop has ended."""
        if not self._loop.is_closed():
            self.waiters.wake()

    def on_notification(self, _connection: object, _pid: int, _channel: str, message: str) -> None:
        """Take what another session told; a message without keys means that anything may have changed."""
        told = json.loads(message)
        if not told or told["stops"]:
            self.stops += 1
        if told.get("due") is not None:
            self.plan(float(told["due"]))
        if told.get("keys") or not told:
            self.waiters.wake(told.get("keys", ()))

    def plan(self, seconds: float) -> None:
        """Note that a task becomes due in so many seconds."""
        due = self._loop.time() + max(seconds, 0.0)
        if self.due is None or due < self.due:
            self.due = due
