"""Removes tasks whose retention is over, in short slices with rests between them: for people, and for workers."""

import asyncio
import logging
import random
import time
from collections.abc import Collection

from sitq.backends.base import Backend
from sitq.core import TaskStatus
from sitq.exceptions import STORE_TROUBLE

logger = logging.getLogger(__name__)

# A rest is this many times as long as the slice before it took: the busier the store, the longer.
_REST = 2
_WORKERS_REST = 9
_LOOK = 10.0  # seconds between a worker's looks for something to purge


async def purge_all(
    backend: Backend, *, older_than: float | None = None, statuses: Collection[TaskStatus] | None = None
) -> int:
    """Remove all that is due, and tell how many; see `Inspector.purge`."""
    total = 0
    while True:
        begun = time.perf_counter()
        removed = await backend.purge(older_than=older_than, statuses=statuses)
        if not removed:
            return total
        total += removed
        await asyncio.sleep(_REST * (time.perf_counter() - begun))


class Purger:
    """Keeps a running worker's store free of what is due, beside its tasks. Several on one store share the work.

    Args:
        backend: the worker's own, open.
        worker_id: who it is that purges, for the log.
        look: seconds between two looks, at most.
    """

    def __init__(self, backend: Backend, worker_id: str, *, look: float = _LOOK) -> None:
        self._backend = backend
        self._worker_id = worker_id
        self._look = look
        self._purging: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._purging = asyncio.get_running_loop().create_task(self._purge())

    async def stop(self) -> None:
        """End it; a slice on its way may still be committed."""
        if self._purging is not None:
            self._purging.cancel()
            await asyncio.wait({self._purging})

    async def _purge(self) -> None:
        while True:
            begun = time.perf_counter()
            try:
                removed = await self._backend.purge()
            except STORE_TROUBLE as exc:
                logger.warning("worker %s: purge failed: %s; trying again", self._worker_id, exc)
                removed = 0
            rest = _WORKERS_REST * (time.perf_counter() - begun)
            await asyncio.sleep(rest if removed else self._look * random.uniform(0.5, 1.0))
