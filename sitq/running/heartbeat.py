"""A worker's sign of life, from a thread that user code on the worker's loop cannot hold up."""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from sitq._portal import Portal
from sitq.backends.base import Backend
from sitq.core import WorkerInfo
from sitq.exceptions import SitqError

logger = logging.getLogger("sitq.worker")

_RETRY = 1.0  # seconds after a heartbeat that failed


class Heartbeat:
    """Renews a worker's leases every third of a lease, on a backend of its own.

    Args:
        backend: a twin of the worker's, not open yet.
        held: tells attempt by task id, called on the heartbeat's thread.
        on_stops: called on the worker's loop with the ids that must stop.
        lease: seconds.
    """

    def __init__(
        self,
        backend: Backend,
        worker: WorkerInfo,
        held: Callable[[], dict[str, int]],
        on_stops: Callable[[set[str]], None],
        *,
        lease: float,
    ) -> None:
        self._backend = backend
        self._worker = worker
        self._held = held
        self._on_stops = on_stops
        self._lease = lease
        self._loop = asyncio.get_running_loop()
        self._portal = Portal("sitq-heartbeat")
        self._beating: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._portal.start()
        self._portal.loop.call_soon_threadsafe(self._begin)

    def stop(self) -> None:
        self._portal.call(self._end())
        self._portal.stop()

    def _begin(self) -> None:
        self._beating = asyncio.get_running_loop().create_task(self._beat())

    async def _end(self) -> None:
        if self._beating is not None:
            self._beating.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._beating
        await self._backend.close()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._lease / 3)
            try:
                await self._backend.connect()
                stops = await self._backend.heartbeat(self._worker, self._held(), lease=self._lease)
            except SitqError as exc:
                logger.warning("worker %s: heartbeat failed: %s; trying again", self._worker.id, exc)
                await asyncio.sleep(min(_RETRY, self._lease / 10))
                continue
            if stops:
                with contextlib.suppress(RuntimeError):  # the worker's loop has ended
                    self._loop.call_soon_threadsafe(self._on_stops, stops)
