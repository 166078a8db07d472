"""Wakes those who wait for lanes and tasks on one event loop."""

import asyncio
from collections.abc import Collection

_UNHEARD_LIMIT = 4096  # keys that changed while nobody waited for them


class Bell:
    """Rings for keys: names of lanes and ids of tasks. What rang between a look and a wait is not missed."""

    def __init__(self) -> None:
        self._waiters: dict[asyncio.Future[bool], frozenset[str]] = {}
        self._unheard: set[str] = set()

    def ring(self, keys: Collection[str]) -> None:
        """Wake those who wait for one of these keys."""
        self._unheard.update(keys)
        if len(self._unheard) > _UNHEARD_LIMIT:
            self._unheard.clear()  # nobody has waited for long, and who comes now looks first
        for waiter, wanted in self._waiters.items():
            if not waiter.done() and (not wanted or not wanted.isdisjoint(keys)):
                self._unheard -= wanted or set(keys)
                waiter.set_result(True)

    def ring_all(self) -> None:
        """Wake everybody: anything may have changed."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(True)

    async def wait(self, keys: Collection[str], *, timeout: float) -> bool:
        """Return True when one of the keys may have changed, False when `timeout` seconds are over."""
        heard = self._unheard.intersection(keys) if keys else set(self._unheard)
        if heard:
            self._unheard -= heard
            return True
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[bool] = loop.create_future()
        self._waiters[waiter] = frozenset(keys)
        timer = loop.call_later(timeout, _expire, waiter)
        try:
            return await waiter
        finally:
            timer.cancel()
            del self._waiters[waiter]


def _expire(waiter: "asyncio.Future[bool]") -> None:
    if not waiter.done():
        waiter.set_result(False)
