"""The side of a background worker that works, on a thread of this process: an exit gives it time to let go."""

import asyncio
import atexit
import concurrent.futures
import contextvars
import logging
import time
import weakref
from collections.abc import Callable

from sitq._portal import Portal
from sitq.backends import backend_from_url
from sitq.core import WorkerInfo
from sitq.exceptions import SitqError
from sitq.notebook.lines import LastLines
from sitq.worker import Worker

logger = logging.getLogger(__name__)

# Seconds. A kernel that is told to shut down is killed after 2.5.
_EXIT_GRACE = 1.0
_EXIT_BUDGET = 1.5
# Seconds after the grace: for a task that will not be cancelled, and for writing what was given back.
_MARGIN = 0.25


class WorkerThread:
    """A worker on the portal thread `sitq-worker`, with a backend of its own, as each loop needs one.

    Args:
        path: the store's absolute path, or its URL.
        concurrency: how many tasks run at once.
        goodbye: gives back on another loop what a worker holds, when its own is blocked.
        context_of: gives the context in which a task runs.

    Raises:
        ValidationError: `concurrency` is less than 1.
    """

    def __init__(
        self,
        path: str,
        concurrency: int,
        goodbye: Callable[[WorkerInfo], object],
        context_of: Callable[[str], contextvars.Context],
    ) -> None:
        self.concurrency = concurrency
        self.error: BaseException | None = None
        self._worker = Worker(backend_from_url(path), max_concurrency=concurrency, context_of=context_of)
        self._goodbye = goodbye
        self._portal = Portal("sitq-worker")
        self._serving: asyncio.Task[None] | None = None
        self._ending: concurrent.futures.Future[None] | None = None
        self._lines = LastLines()

    @property
    def worker_id(self) -> str:
        return self._worker.info.id

    @property
    def trouble(self) -> str | None:
        """What the worker has warned of just now; None when all is well."""
        return self._lines.fresh_warning()

    @property
    def alive(self) -> bool:
        return self._portal.running and self._serving is not None and not self._serving.done()

    def start(self) -> None:
        """Open the store and begin to serve.

        Raises:
            BackendError: the store cannot be opened.
        """
        self._portal.start()
        self._lines.begin()
        try:
            self._portal.call(self._begin())
        except BaseException:
            self._lines.end()
            self._portal.stop()
            raise
        _started.add(self)

    def stop(self, grace: float) -> None:
        """Claim no more, give running tasks time to end, and give the rest back.

        Args:
            grace: seconds for running tasks.
        """
        self.begin_stop(grace)
        self.wait_stopped(grace + 2 * _MARGIN)

    def last_lines(self, count: int) -> list[str]:
        """Give the last lines that the worker has said of itself."""
        return self._lines.last(count)

    def begin_stop(self, grace: float) -> None:
        if self._portal.running and self._ending is None:
            self._ending = asyncio.run_coroutine_threadsafe(self._end(grace), self._portal.loop)

    def wait_stopped(self, timeout: float) -> None:
        """Wait for the end. A loop that a task blocks is left to end after it, without what the worker held."""
        if self._ending is None:
            return
        try:
            self._ending.result(timeout)
        except TimeoutError:
            self._goodbye(self._worker.info)

    async def _begin(self) -> None:
        await self._worker.backend.connect()
        self._serving = asyncio.get_running_loop().create_task(self._worker.start())
        self._serving.add_done_callback(self._note_end)

    async def _end(self, grace: float) -> None:
        assert self._serving is not None
        try:
            async with asyncio.timeout(grace + _MARGIN):
                await self._worker.stop(grace)
        except TimeoutError:
            self._serving.cancel()
        try:
            await asyncio.wait({self._serving})
            await self._worker.backend.close()
        except SitqError as exc:
            logger.warning("worker %s: %s", self._worker.info.id, exc)
        finally:
            self._lines.end()
            self._portal.stop()

    def _note_end(self, serving: "asyncio.Task[None]") -> None:
        if not serving.cancelled() and (exc := serving.exception()) is not None:
            self.error = exc
            logger.error("worker %s ended: %s", self._worker.info.id, exc, exc_info=exc)


# Also when this module is run again, as %autoreload does.
_started: "weakref.WeakSet[WorkerThread]" = globals().get("_started", weakref.WeakSet())


@atexit.register
def _let_go() -> None:
    """Stop all workers side by side, within the time that a kernel has."""
    deadline = time.monotonic() + _EXIT_BUDGET
    threads = list(_started)
    for thread in threads:
        thread.begin_stop(_EXIT_GRACE)
    for thread in threads:
        thread.wait_stopped(max(0.0, deadline - time.monotonic()))
