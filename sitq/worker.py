"""The worker's door: start, stop, and what a program needs around the two."""

import asyncio
import contextvars
import os
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from os import PathLike
from typing import Self

from sitq._process import this_process
from sitq.backends import as_backend
from sitq.backends.base import Backend
from sitq.core import EXECUTORS, PYTHON_VERSION, THREAD_EXECUTOR, WorkerInfo
from sitq.exceptions import WorkerError
from sitq.middleware import Middleware, middleware_list
from sitq.running.runner import RunSettings
from sitq.running.shift import Shift
from sitq.serialization import Serializer, SignedSerializer, call_serializer
from sitq.validation import amount, at_least_one, integer, not_negative, one_of, positive, queue_names


class UnsignedPayloadWarning(UserWarning):
    """Whoever reaches the server that keeps the tasks can have this worker run any code."""


class Worker:
    """Runs tasks: async functions on its event loop, all others on daemon threads or in child processes.

    Args:
        backend: a backend, or a path or URL. A backend that was open before stays open.
        serializer: must read what the queue's serializer writes; cloudpickle's unless given.
        max_concurrency: how many tasks run at once.
        poll_interval: seconds between two looks at the store when nothing wakes the worker.
        queues: lanes to serve; None means all.
        lease: seconds after which others take over, if this worker's heartbeats stop and its process cannot be asked.
        grace: seconds that `stop` gives running tasks.
        executor: "thread" or "process", for tasks that do not say where they run and are no coroutine functions.
        max_tasks_per_child: calls after which a child process is replaced; None means never.
        output_limit: bytes to keep, the newest, of what each attempt writes to stdout and stderr; 0 captures nothing.
        context_of: gives the context in which a task runs, by its id; unless given, a copy of the worker's own.
        middleware: stands around each attempt, the first one outermost; see `sitq.middleware.Middleware`.
        traceback_locals: tell in tracebacks, which are stored, the variables of your own frames, shortened.

    Raises:
        ValidationError: an argument cannot be right.
    """

    def __init__(
        self,
        backend: Backend | str | PathLike[str] | None = None,
        serializer: Serializer | None = None,
        max_concurrency: int = 10,
        poll_interval: float = 1.0,
        *,
        queues: Sequence[str] | None = None,
        lease: float = 30.0,
        grace: float = 30.0,
        executor: str = THREAD_EXECUTOR,
        max_tasks_per_child: int | None = None,
        output_limit: int = 1024**2,
        context_of: Callable[[str], contextvars.Context] | None = None,
        middleware: Sequence[Middleware] = (),
        traceback_locals: bool = False,
    ) -> None:
        self._poll_interval = positive("poll_interval", poll_interval)
        self._lease = positive("lease", lease)
        self._grace = not_negative("grace", grace)
        self._settings = RunSettings(
            executor=one_of("executor", executor, EXECUTORS),
            max_tasks_per_child=None
            if max_tasks_per_child is None
            else at_least_one("max_tasks_per_child", max_tasks_per_child),
            output_limit=int(amount("output_limit", integer("output_limit", output_limit))),
            context_of=context_of,
            middleware=middleware_list(middleware),
            traceback_locals=traceback_locals,
        )
        self._serializer = call_serializer(serializer)
        self.backend = as_backend(backend)
        self.info = _describe(queue_names(queues), at_least_one("max_concurrency", max_concurrency))
        self._shift: Shift | None = None
        self._stop_wanted = False
        self._has_served = False
        self._background: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        doing = "stopped" if self._shift is None else f"{self._shift.running} of {self.info.max_concurrency} running"
        return f"<Worker {self.info.id} on {self.backend!r}: {doing}>"

    async def start(self) -> None:
        """Serve until `stop` is called.

        Raises:
            WorkerError: it is running already.
            BackendError: the store failed in a way that waiting does not cure.
        """
        await self._serve(until_empty=False)

    async def stop(self, grace: float | None = None) -> None:
        """Claim no more, give running tasks time to end, give the rest back unspent, and wait until that is done.

        A call before the first `start` is remembered.

        Args:
            grace: seconds for running tasks; None means the worker's own.
        """
        seconds = self._grace if grace is None else not_negative("grace", grace)
        if self._shift is None:
            self._stop_wanted = not self._has_served
        else:
            await self._shift.stop(seconds)

    async def run_until_empty(self, timeout: float | None = None) -> None:
        """Serve until nothing of this worker's lanes is due and nothing runs here.

        Args:
            timeout: seconds; None means as long as it takes.

        Raises:
            TimeoutError: the time is up; what ran was given back.
        """
        async with asyncio.timeout(timeout):
            await self._serve(until_empty=True)

    def run(self, *, until_empty: bool = False) -> None:
        """Serve until SIGINT or SIGTERM, in a script of its own. A second signal ends without grace.

        Args:
            until_empty: end also when nothing is due and nothing runs here.
        """
        asyncio.run(self._run_with_signals(until_empty=until_empty))

    async def __aenter__(self) -> Self:
        """Serve in the background, from the moment on that the store knows of this worker."""
        begun = asyncio.Event()
        self._background = asyncio.ensure_future(self._serve(until_empty=False, begun=begun))
        waiting = asyncio.ensure_future(begun.wait())
        await asyncio.wait({self._background, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self._background.done():
            await self._background
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        background, self._background = self._background, None
        if background is not None:
            if not background.done():
                await self.stop()
            await background

    async def _serve(self, *, until_empty: bool, begun: asyncio.Event | None = None) -> None:
        if self._shift is not None:
            raise WorkerError(f"worker {self.info.id} is running already; make another one")
        if self._stop_wanted:
            self._stop_wanted = False
            return
        self._has_served = True
        self._shift = shift = Shift(
            self.backend,
            self._serializer,
            self.info,
            lease=self._lease,
            poll_interval=self._poll_interval,
            until_empty=until_empty,
            settings=self._settings,
        )
        opened = not self.backend.connected
        try:
            await self.backend.connect()
            self._warn_if_open()
            await shift.serve(begun or asyncio.Event())
        finally:
            self._shift = None
            try:
                if opened:
                    await self.backend.close()
            finally:
                shift.ended.set()

    def _warn_if_open(self) -> None:
        if self.backend.remote and not isinstance(self._serializer, SignedSerializer):
            warnings.warn(
                f"payloads in {self.backend!r} are not signed, and whoever reaches that server can run code here; "
                "give queue and worker a SignedSerializer",
                UnsignedPayloadWarning,
                stacklevel=2,
            )

    async def _run_with_signals(self, *, until_empty: bool) -> None:
        loop = asyncio.get_running_loop()
        stops: set[asyncio.Task[None]] = set()

        def ask() -> None:
            stops.add(loop.create_task(self.stop(0 if stops else None)))

        for name in (signal.SIGINT, signal.SIGTERM):
            if sys.platform == "win32":
                signal.signal(name, lambda *_: loop.call_soon_threadsafe(ask))
            else:
                loop.add_signal_handler(name, ask)
        await self._serve(until_empty=until_empty)
        await asyncio.gather(*stops)


def _describe(queues: tuple[str, ...] | None, max_concurrency: int) -> WorkerInfo:
    process = this_process()
    return WorkerInfo(
        id=f"{process.host}:{process.pid}:{os.urandom(3).hex()}",
        host=process.host,
        pid=process.pid,
        process=process.token,
        queues=queues,
        max_concurrency=max_concurrency,
        python=PYTHON_VERSION,
        started_at=datetime.now(UTC),
    )
