"""The side of a background worker that asks: one queue on a loop of its own, for callers who block or await."""

import asyncio
import builtins
import contextlib
import logging
import threading
import weakref
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, ParamSpec, TypeVar

from sitq._portal import Portal
from sitq.backends import backend_from_url
from sitq.context import current_task
from sitq.core import Result, Task, TaskStatus
from sitq.exceptions import TaskQueueError, TimeoutError, WorkerError
from sitq.producer.replaying import StoredCall, stored_call
from sitq.queue import TaskQueue
from sitq.sanitize import without_password
from sitq.views import Stats, TaskInfo, TaskQuery

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger(__name__)

GLANCE = 0.04  # seconds that a repr may wait for the store
_TICK = 0.2  # seconds
_BREATH = 0.05  # seconds between two looks at a busy store


class Client:
    """A queue on the portal thread `sitq-client`. It opens on first use, also after it was closed.

    Args:
        path: the store's absolute path, or its URL.
        served: tells whether this process works on the store.
        on_enqueue: called with tasks before they are stored.
    """

    def __init__(self, path: str, served: Callable[[], bool], on_enqueue: Callable[[Sequence[Task]], object]) -> None:
        self.path = without_password(path)
        self.queue = TaskQueue(backend_from_url(path), on_enqueue=on_enqueue)
        self._served = served
        self._portal = Portal("sitq-client")
        self._starting = threading.Lock()

    def call(self, method: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a method on the client's loop, while the caller blocks.

        Raises:
            WorkerError: the client was closed meanwhile.
        """
        self._start()
        try:
            return self._portal.call(method(*args, **kwargs))
        except asyncio.CancelledError:
            raise self._stopped() from None

    async def follow(self, method: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a waiting method on the client's loop, while the caller awaits on its own. A cancelled caller leaves.

        Raises:
            WorkerError: the client was closed meanwhile.
        """
        self._start()
        future = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(method(*args, **kwargs), self._portal.loop))
        try:
            with _ticking():
                await asyncio.wait({future})
            if future.cancelled():
                raise self._stopped()
            return future.result()
        finally:
            future.cancel()

    def call_within(
        self, seconds: float, method: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T | None:
        """Run a method as `call` does, for callers who must neither wait longer nor fail, nor open anything."""
        if not self._portal.running:
            return None
        future = asyncio.run_coroutine_threadsafe(method(*args, **kwargs), self._portal.loop)
        try:
            return future.result(seconds)
        except Exception as exc:
            future.cancel()
            logger.debug("%s did not answer within %g s: %r", self.path, seconds, exc)
            return None

    def when_ended(self, task_id: str, then: Callable[[], object]) -> None:
        """Call a function on the client's thread once a task has ended, or can no longer be waited for."""
        self._start()
        watching = asyncio.run_coroutine_threadsafe(self.ended(task_id), self._portal.loop)
        watching.add_done_callback(lambda _: then())

    def close(self) -> None:
        """Close the store and end the thread; who waits is told. Closing twice is harmless."""
        with self._starting:
            if self._portal.running:
                self._portal.call(self.queue.close())
                self._portal.stop()

    async def ended(self, task_id: str, timeout: float | None = None) -> Result:
        """Wait until a task has ended.

        Raises:
            TimeoutError: the time is up; the task goes on.
            TaskQueueError: there is no such task.
            WorkerError: it has not ended, and nobody here works on it.
        """
        if not self._served():
            await self.queue.connect()
            result = (await self.queue.backend.results((task_id,))).get(task_id)
            if result is None or result.status.is_final:
                return self._existing(result, task_id)
            raise self._stopped()
        result = await self.queue.get_result(task_id, timeout)
        if result is not None:
            return result
        if not self._served():
            raise self._stopped()
        info = self._existing(await self.queue.get_task(task_id), task_id)
        raise TimeoutError(f"task {task_id} is still {info.status}; it goes on, wait again", task_id=task_id)

    async def text_of(self, task_id: str) -> str:
        """Read all that a task has written."""
        await self.queue.connect()
        texts: list[str] = []
        after = 0
        while chunks := await self.queue.output(task_id, after=after):
            texts += [chunk.text for chunk in chunks]
            after = chunks[-1].seq
        return "".join(texts)

    async def stored_call(self, task_id: str) -> StoredCall:
        """Read a task's call, to be run elsewhere."""
        await self.queue.connect()
        return await stored_call(task_id, self.queue.backend, self.queue.serializer)

    async def look_up(self, ids: Sequence[str]) -> list[TaskInfo]:
        """Look tasks up, in the order of their ids."""
        found = await self.queue.list_tasks(TaskQuery(ids=tuple(ids), limit=len(ids)))
        return found[::-1]

    async def idle(self, timeout: float | None = None) -> None:
        """Wait until no task is pending or running.

        Raises:
            TimeoutError: the time is up; the tasks go on.
            WorkerError: tasks are left, and nobody here works on them.
        """
        stats = await self.queue.stats()
        try:
            async with asyncio.timeout(timeout):
                while _unfinished(stats):
                    if not self._served():
                        raise self._stopped()
                    await self.queue.backend.wait((), timeout=_TICK)
                    await asyncio.sleep(_BREATH)
                    stats = await self.queue.stats()
        except builtins.TimeoutError as exc:
            left = f"{stats.count(TaskStatus.PENDING)} pending and {stats.count(TaskStatus.RUNNING)} running"
            raise TimeoutError(f"{self.path} still has {left} tasks; they go on, wait again") from exc

    def _start(self) -> None:
        with self._starting:
            self._portal.start()

    def _existing(self, found: T | None, task_id: str) -> T:
        if found is None:
            raise TaskQueueError(f"there is no task {task_id} in {self.path}; it was deleted", task_id=task_id)
        return found

    def _stopped(self) -> WorkerError:
        return WorkerError(f"the worker on {self.path} is stopped, the task waits; start_worker({self.path!r}) goes on")


def refuse_in_task(verb: str) -> None:
    """Refuse what blocks until tasks end, inside a task: they may need the place that it holds.

    Raises:
        RuntimeError: called inside a task.
    """
    if current_task() is not None:
        raise RuntimeError(
            f"{verb}() inside a task would deadlock, since it waits for tasks and keeps the place of one; "
            "call it from a cell, or await the handle in a coroutine function"
        )


def _unfinished(stats: Stats) -> int:
    return stats.count(TaskStatus.PENDING) + stats.count(TaskStatus.RUNNING)


_awaiting: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, int]" = weakref.WeakKeyDictionary()


@contextlib.contextmanager
def _ticking() -> Iterator[None]:
    """Wake the running loop five times a second.

    A kernel notices the interrupt of an awaiting cell only when its loop wakes next: after 3.5 s in `sleep(4)`.
    """
    loop = asyncio.get_running_loop()
    _awaiting[loop] = _awaiting.get(loop, 0) + 1
    if _awaiting[loop] == 1:
        loop.call_later(_TICK, _tick, loop)
    try:
        yield
    finally:
        _awaiting[loop] -= 1


def _tick(loop: asyncio.AbstractEventLoop) -> None:
    if _awaiting[loop]:
        loop.call_later(_TICK, _tick, loop)
