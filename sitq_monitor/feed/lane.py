"""When to read: at once for a person, and at most so often for changes of the store."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

SHARE = 0.1
"""The part of the time that reading for changes may take: a store that answers slowly is read less often."""


class Lane:
    """Reads whenever it is due, and then rests, unless it had nothing to tell.

    Args:
        read: reads, tells, and answers whether there was something to tell.
        rate: gives the reads in a second at most; what a person asks for is read at once.
    """

    def __init__(self, read: Callable[[], Awaitable[bool]], rate: Callable[[], float]) -> None:
        self._read = read
        self._rate = rate
        self._due, self._asked = asyncio.Event(), asyncio.Event()

    def ask(self) -> None:
        """Make it due for a person."""
        self._asked.set()
        self._due.set()

    def hear(self) -> None:
        """Make it due for a change of the store."""
        self._due.set()

    async def run(self) -> None:
        while True:
            self._due.clear()
            self._asked.clear()
            begun = time.monotonic()
            had_news = await self._read()
            cost = time.monotonic() - begun
            await self._due.wait()
            await self._rest(begun + max(1 / self._rate() if had_news else 0.0, cost / SHARE))

    async def _rest(self, until: float) -> None:
        left = until - time.monotonic()
        if left > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), left)
