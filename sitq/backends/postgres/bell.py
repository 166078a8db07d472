"""Wakes who waits for a change of a store, as the server tells of it."""

import asyncio
import json
from collections.abc import Collection

_UNHEARD_LIMIT = 10_000


class Bell:
    """Wakes the waiters of one backend, on its loop, and knows when the next task becomes due."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiters: dict[asyncio.Future[bool], frozenset[str]] = {}
        self._unheard: set[str] = set()
        self.due: float | None = None  # by the loop's clock; None when none is known
        self.stops = 0  # how often it was told that running tasks are to stop

    def close(self) -> None:
        """Let all waiters go. Harmless after the loop has ended."""
        if not self._loop.is_closed():
            self.ring(())

    async def wait(self, keys: Collection[str], *, timeout: float) -> bool:
        """Return True when one of the keys may have changed, False when `timeout` seconds are over."""
        if self._take_unheard(keys):
            return True
        waiter: asyncio.Future[bool] = self._loop.create_future()
        self._waiters[waiter] = frozenset(keys)
        timer = self._loop.call_later(timeout, _expire, waiter)
        try:
            return await waiter
        finally:
            timer.cancel()
            del self._waiters[waiter]

    def on_notification(self, _connection: object, _pid: int, _channel: str, message: str) -> None:
        """Take what another session told; a message without keys means that anything may have changed."""
        told = json.loads(message)
        if not told or told["stops"]:
            self.stops += 1
        if told.get("due") is not None:
            self.plan(float(told["due"]))
        if told.get("keys") or not told:
            self.ring(told.get("keys", ()))

    def plan(self, seconds: float) -> None:
        """Note that a task becomes due in so many seconds."""
        due = self._loop.time() + max(seconds, 0.0)
        if self.due is None or due < self.due:
            self.due = due

    def ring(self, changed: Collection[str]) -> None:
        """Wake the waiters of these keys; no keys means all."""
        self._unheard.update(changed)
        if len(self._unheard) > _UNHEARD_LIMIT:
            self._unheard.clear()  # nobody has waited for long, and who comes now looks first
        for waiter, keys in self._waiters.items():
            if not waiter.done() and (not changed or not keys or not keys.isdisjoint(changed)):
                self._unheard -= keys or set(changed)
                waiter.set_result(True)

    def _take_unheard(self, keys: Collection[str]) -> bool:
        """Tell whether one of the keys changed while nobody waited for it: between a look and this wait, perhaps."""
        heard = self._unheard.intersection(keys) if keys else set(self._unheard)
        self._unheard -= heard
        return bool(heard)


def _expire(waiter: "asyncio.Future[bool]") -> None:
    if not waiter.done():
        waiter.set_result(False)
