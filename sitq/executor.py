"""The queue as the standard library's `concurrent.futures` knows such things, with tasks that outlive the program."""

import concurrent.futures
import contextlib
import os
import queue
import threading
from collections.abc import Callable
from functools import partial
from os import PathLike
from typing import Any, ParamSpec, TypeVar

from sitq._portal import Portal
from sitq.backends import backend_from_url
from sitq.core import Result, TaskStatus
from sitq.exceptions import SitqError, TaskCancelledError, TaskQueueError
from sitq.queue import TaskQueue
from sitq.serialization import Serializer
from sitq.validation import integer
from sitq.worker import Worker

P = ParamSpec("P")
T = TypeVar("T")


class TaskFuture(concurrent.futures.Future[T]):
    """A real future; its task is in the store.

    Attributes:
        task_id: the task's id.
    """

    task_id: str

    def __init__(self, executor: "Executor") -> None:
        super().__init__()
        self._executor = executor

    def cancel(self) -> bool:
        """Cancel the task if it has not begun; False if it has."""
        if not self.done() and self._executor._cancel_pending(self.task_id):
            super().cancel()
        return self.cancelled()

    def running(self) -> bool:
        """Tell whether a worker, here or elsewhere, runs the task now."""
        return not self.done() and self._executor._status(self.task_id) is TaskStatus.RUNNING


class Executor(concurrent.futures.Executor):
    """Runs calls as tasks of a store, and gives futures.

    What has not ended when the program does stays in the store, and the next worker on it goes on.

    Args:
        store: path or URL; the file `sitq.db` unless given.
        max_workers: calls that run at once on a worker of this program; with 0 workers elsewhere run them.
        serializer: as of `TaskQueue`.
        options: of the tasks, such as `retry=3` or `executor="process"`; see `TaskOptions`.

    Raises:
        ValidationError: an argument cannot be right.
        ConnectionError: the store cannot be opened.
    """

    def __init__(
        self,
        store: str | PathLike[str] | None = None,
        max_workers: int | None = None,
        *,
        serializer: Serializer | None = None,
        **options: Any,
    ) -> None:
        if max_workers is None:
            max_workers = min(32, (os.cpu_count() or 1) + 4)  # as many as ThreadPoolExecutor takes
        backend = backend_from_url(store)
        self._queue = TaskQueue(backend, serializer)
        self._bound = self._queue.options(**options)
        self._client, self._server = Portal("sitq-client"), Portal("sitq-worker")
        self._worker = None
        if integer("max_workers", max_workers) != 0:
            self._worker = Worker(backend.twin(), serializer, max_concurrency=max_workers)
        self._lock = threading.Lock()
        self._shut = False
        self._futures: dict[str, TaskFuture[Any]] = {}
        self._ended: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._start()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> TaskFuture[T]:
        """Store a call and give its future.

        Raises:
            RuntimeError: the executor was shut down.
            SerializationError: the call cannot become bytes.
        """
        future: TaskFuture[T] = TaskFuture(self)
        with self._lock:
            if self._shut:
                raise RuntimeError("the executor was shut down; make another one on the same store")
            call: Callable[..., T] = (
                partial(fn, **kwargs) if kwargs else fn
            )  # a keyword `eta` belongs to the function too
            future.task_id = str(self._client.call(self._bound.enqueue(call, *args)))
            self._futures[future.task_id] = future
        self._client.loop.call_soon_threadsafe(self._follow, future)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls, and end the worker when those that were submitted here have ended.

        Args:
            wait: return only then; else it happens in the background, as far as the program lives.
            cancel_futures: cancel what has not begun.
        """
        with self._lock:
            first, self._shut = not self._shut, True
            waiting = list(self._futures.values())
        if cancel_futures:
            for future in waiting:
                future.cancel()
        if first:
            self._closing = threading.Thread(target=self._close, args=(waiting,), name="sitq-shutdown", daemon=True)
            self._closing.start()
        if wait:
            self._closing.join()

    def _start(self) -> None:
        self._client.start()
        threading.Thread(target=self._deliver, name="sitq-futures", daemon=True).start()
        try:
            self._client.call(self._queue.connect())
            if self._worker is not None:
                self._server.start()
                self._server.call(self._worker.__aenter__())
        except BaseException:
            self._ended.put(None)
            for portal in (self._client, self._server):
                if portal.running:
                    portal.stop()
            raise

    def _follow(self, future: TaskFuture[Any]) -> None:
        """Watch a task on the client's loop; its future is told on a thread where callbacks may submit more."""
        watching = self._client.loop.create_task(self._queue.get_result(future.task_id))
        watching.add_done_callback(lambda done: self._ended.put(lambda: self._tell(future, done.result)))

    def _deliver(self) -> None:
        while (tell := self._ended.get()) is not None:
            tell()

    def _tell(self, future: TaskFuture[Any], outcome: Callable[[], Result | None]) -> None:
        self._futures.pop(future.task_id, None)
        with contextlib.suppress(concurrent.futures.InvalidStateError):  # it was cancelled
            try:
                future.set_result(self._value_of(outcome(), future.task_id))
            except TaskCancelledError:
                concurrent.futures.Future.cancel(future)
                future.set_running_or_notify_cancel()
            except BaseException as exc:
                future.set_exception(exc)

    def _value_of(self, result: Result | None, task_id: str) -> Any:
        if result is None:
            raise TaskQueueError(f"task {task_id} was deleted before it had ended", task_id=task_id)
        return self._queue.deserialize_result(result)

    def _status(self, task_id: str) -> TaskStatus | None:
        info = self._client.call(self._queue.get_task(task_id))
        return None if info is None else info.status

    def _cancel_pending(self, task_id: str) -> bool:
        return self._status(task_id) is TaskStatus.PENDING and bool(self._client.call(self._queue.cancel(task_id)))

    def _close(self, waiting: list[TaskFuture[Any]]) -> None:
        concurrent.futures.wait(waiting)
        self._ended.put(None)
        with contextlib.suppress(SitqError):
            if self._worker is not None:
                self._server.call(self._worker.__aexit__())
                self._server.stop()
            self._client.call(self._queue.close())
        self._client.stop()
