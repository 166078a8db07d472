"""Those who wait for changes of a store on one event loop, and what changed while nobody waited for it."""

import asyncio
from collections.abc import Collection

_UNHEARD_LIMIT = 10_000  # keys


class Waiters:
    """Wakes who waits for keys: names of lanes and ids of tasks. What rang between a look and a wait is not missed."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[bool], frozenset[str]] = {}
        self._unheard: set[str] = set()
        self._anything = False  # may have changed while nobody waited at all

    def __bool__(self) -> bool:
        """Somebody waits."""
        return bool(self._waiting)

    def has_heard(self, keys: Collection[str]) -> bool:
        """Tell once whether one of the keys changed while nobody waited for it; no keys means any."""
        anything, self._anything = self._anything, False
        heard = self._unheard.intersection(keys) if keys else set(self._unheard)
        self._unheard -= heard
        return anything or bool(heard)

    async def wait(self, keys: Collection[str], *, timeout: float) -> bool:
        """Return True when one of the keys may have changed, False when `timeout` seconds are over.

        Args:
            keys: lanes and task ids; empty means any.
        """
        if self.has_heard(keys):
            return True
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[bool] = loop.create_future()
        self._waiting[waiter] = frozenset(keys)
        timer = loop.call_later(timeout, _expire, waiter)
        try:
            return await waiter
        finally:
            timer.cancel()
            del self._waiting[waiter]

    def wake(self, changed: Collection[str] = ()) -> None:
        """Wake those who wait for these keys; no keys means that anything may have changed."""
        self._unheard.update(changed)
        self._anything = self._anything or not (changed or self._waiting)
        if len(self._unheard) > _UNHEARD_LIMIT:
            self._unheard.clear()  # nobody has waited for long, and who comes now looks first
        for waiter, keys in self._waiting.items():
            if not waiter.done() and (not changed or not keys or not keys.isdisjoint(changed)):
                self._unheard -= keys or set(changed)
                waiter.set_result(True)


def _expire(waiter: "asyncio.Future[bool]") -> None:
    if not waiter.done():
        waiter.set_result(False)
