"""The blocking face of the queue, for scripts, threads and legacy code."""

import sqlite3
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator, Sequence
from datetime import datetime, tzinfo
from os import PathLike
from typing import Any, Self, TypeVar

from sitq.backends.base import Backend
from sitq.blocking import Caller
from sitq.core import Result, TaskStatus
from sitq.inputs import TaskId
from sitq.producer.bound import BoundQueue
from sitq.queue import TaskQueue
from sitq.recurring import ScheduleInfo
from sitq.serialization import Serializer
from sitq.views import Attempt, OutputChunk, Stats, TaskInfo, TaskQuery

T = TypeVar("T")


class SyncBoundQueue:
    """Takes calls in as `BoundQueue` does, and blocks until they are stored."""

    def __init__(self, bound: BoundQueue, caller: Caller, connection: object = None) -> None:
        self._bound = bound
        self._caller = caller
        self._connection = connection

    def options(self, *, connection: object = None, **options: Any) -> "SyncBoundQueue":
        """Make a view whose tasks get these options; see `TaskQueue.options`."""
        bound = self._bound.options(connection=connection, **options)
        return SyncBoundQueue(bound, self._caller, self._connection if connection is None else connection)

    def enqueue(self, func: Callable[..., Any], /, *args: Any, eta: datetime | None = None, **kwargs: Any) -> TaskId:
        """Store a call and return its id; see `TaskQueue.enqueue`."""
        return TaskId(self._store(self._bound.enqueue, func, *args, eta=eta, **kwargs))

    def enqueue_many(self, func: Callable[..., Any], args_list: Iterable[Sequence[Any]], /) -> list[TaskId]:
        """Store many calls and return their ids; see `TaskQueue.enqueue_many`."""
        return [TaskId(handle) for handle in self._store(self._bound.enqueue_many, func, args_list)]

    def map(self, func: Callable[..., Any], /, *iterables: Iterable[Any]) -> list[TaskId]:
        """Store one call for each set of arguments and return their ids; see `TaskQueue.map`."""
        return [TaskId(handle) for handle in self._store(self._bound.map, func, *iterables)]

    def schedule(
        self,
        func: Callable[..., Any],
        /,
        *args: Any,
        name: str | None = None,
        cron: str | None = None,
        every: float | None = None,
        timezone: str | tzinfo | None = None,
        catch_up: str = "last",
        **kwargs: Any,
    ) -> ScheduleInfo:
        """Store a call that recurs; see `TaskQueue.schedule`."""
        kwargs |= {"name": name, "cron": cron, "every": every, "timezone": timezone, "catch_up": catch_up}
        return self._store(self._bound.schedule, func, *args, **kwargs)

    def _store(self, method: Callable[..., Coroutine[Any, Any, T]], *args: Any, **kwargs: Any) -> T:
        if isinstance(self._connection, sqlite3.Connection):  # it belongs to the thread that opened it
            return self._caller.call_here(method, *args, **kwargs)
        return self._caller.call(method, *args, **kwargs)


class SyncTaskQueue(SyncBoundQueue):
    """Does what `TaskQueue` does, and blocks until it is done.

    Its event loop runs on a thread of its own. In a notebook cell it works as it stands; inside a coroutine it would
    block the running loop, and is refused.

    Args:
        backend: a backend that nobody else uses, or a path or URL; the file `sitq.db` unless given.
        serializer: an object with `dumps` and `loads`; cloudpickle's unless given.
        default_result_timeout: seconds that `get_result` waits when it is not told; None means as long as it takes.
    """

    def __init__(
        self,
        backend: Backend | str | PathLike[str] | None = None,
        serializer: Serializer | None = None,
        *,
        default_result_timeout: float | None = None,
    ) -> None:
        self._queue = TaskQueue(backend, serializer, default_result_timeout=default_result_timeout)
        super().__init__(self._queue, Caller(self._queue.connect))

    def __repr__(self) -> str:
        return f"Sync{self._queue!r}"

    @property
    def backend(self) -> Backend:
        """The store; it belongs to this queue's own thread."""
        return self._queue.backend

    @property
    def serializer(self) -> Serializer:
        return self._queue.serializer

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def connect(self) -> None:
        """Open the backend. It is also opened on first use."""
        self._caller.call(self._queue.connect)

    def close(self) -> None:
        """Close the backend and end the thread. Closing twice is harmless."""
        self._caller.close(self._queue.close)

    def schedules(self) -> list[ScheduleInfo]:
        """List all schedules by name."""
        return self._caller.call(self._queue.schedules)

    def unschedule(self, name: str) -> bool:
        """Remove a schedule; False when there is none of that name. What it has stored stays."""
        return self._caller.call(self._queue.unschedule, name)

    def pause_schedule(self, name: str) -> bool:
        """Let a schedule fire no more until it is resumed; False when there is none of that name."""
        return self._caller.call(self._queue.pause_schedule, name)

    def resume_schedule(self, name: str) -> bool:
        """Let a schedule go on with its next occurrence; False when there is none of that name."""
        return self._caller.call(self._queue.resume_schedule, name)

    def run_schedule_now(self, name: str) -> str:
        """Store a task of a schedule at once, beside its occurrences, and return the task's id."""
        return str(self._caller.call(self._queue.run_schedule_now, name))

    def get_result(self, task_id: str, timeout: float | None = None) -> Any:
        """Wait for a task's value.

        Args:
            timeout: seconds; None means the queue's default.

        Returns:
            The value; None when the time is up or the id is unknown.

        Raises:
            TaskExecutionError: the task failed or was cancelled; the traceback is in its notes.
        """
        result = self.get_full_result(task_id, timeout)
        return None if result is None else self._queue.deserialize_result(result)

    def get_full_result(self, task_id: str, timeout: float | None = None) -> Result | None:
        """Wait until a task has ended and tell all that it came to, as `TaskQueue.get_result` does."""
        return self._caller.call(self._queue.get_result, task_id, timeout)

    def deserialize_result(self, result: Result) -> Any:
        """Turn a result's bytes back into the value; see `TaskQueue.deserialize_result`."""
        return self._queue.deserialize_result(result)

    def as_completed(self, ids: Iterable[str]) -> Iterator[str]:
        """Yield ids in the order in which their tasks end."""
        remaining = set(ids)
        while remaining:
            done = self._caller.call(_first_of, self._queue, tuple(remaining))
            remaining.discard(done)
            yield done

    def gather(self, *ids: str, return_exceptions: bool = False) -> list[Any]:
        """Wait for the values of many tasks, in their order; see `TaskQueue.gather`."""
        handles = [self._queue.handle(task_id) for task_id in ids]
        return self._caller.call(self._queue.gather, *handles, return_exceptions=return_exceptions)

    def get_task(self, task_id: str) -> TaskInfo | None:
        """Look one task up; None when the id is unknown."""
        return self._caller.call(self._queue.get_task, task_id)

    def list_tasks(self, query: TaskQuery | None = None) -> list[TaskInfo]:
        """List tasks, newest first, one page at a time."""
        return self._caller.call(self._queue.list_tasks, query)

    def attempts(self, task_id: str) -> list[Attempt]:
        """List the runs of a task, each with its error and traceback."""
        return self._caller.call(self._queue.attempts, task_id)

    def needs(self, task_id: str) -> list[str]:
        """List the ids of the tasks that a task needs or needed."""
        return self._caller.call(self._queue.needs, task_id)

    def output(self, task_id: str, *, after: int = 0) -> list[OutputChunk]:
        """List what a task wrote, in order; see `Inspector.output`."""
        return self._caller.call(self._queue.output, task_id, after=after)

    def follow_output(self, task_id: str, *, after: int = 0) -> Iterator[OutputChunk]:
        """Yield what a task writes as it comes, until the task has ended."""
        while (chunk := self._caller.call(_next_of, self._queue, task_id, after)) is not None:
            after = chunk.seq
            yield chunk

    def stats(self) -> Stats:
        """Count tasks by lane and status, and list the workers seen."""
        return self._caller.call(self._queue.stats)

    def cancel(self, ids: str | Collection[str]) -> set[str]:
        """Make pending tasks cancelled and ask running ones to stop; returns the ids that were reached."""
        return self._caller.call(self._queue.cancel, ids)

    def requeue(self, ids: str | Collection[str]) -> set[str]:
        """Make failed and cancelled tasks due again; returns the ids that were reached."""
        return self._caller.call(self._queue.requeue, ids)

    def run_now(self, ids: str | Collection[str]) -> set[str]:
        """Make scheduled and retrying tasks due now; returns the ids that were reached."""
        return self._caller.call(self._queue.run_now, ids)

    def rerun(self, which: str | Collection[str] | TaskQuery, func: Callable[..., Any] | None = None) -> list[str]:
        """Store the calls of tasks again and return the ids of the new tasks; see `TaskQueue.rerun`."""
        return [str(handle) for handle in self._caller.call(self._queue.rerun, which, func)]

    def replay(self, task_id: str, func: Callable[..., Any] | None = None) -> Any:
        """Run the stored call of a task here, in the calling thread; see `TaskQueue.replay`.

        Raises:
            SyncTaskQueueError: it must be awaited, and a loop is running in this thread, as in a notebook's cell.
        """
        return self._caller.call(self._queue._stored_call, task_id).run_blocking(func)

    def delete(self, ids: str | Collection[str]) -> set[str]:
        """Remove tasks that are not running; returns the ids that were reached."""
        return self._caller.call(self._queue.delete, ids)

    def purge(self, *, older_than: float | None = None, statuses: Collection[TaskStatus] | None = None) -> int:
        """Remove all final tasks whose retention is over; see `Inspector.purge`."""
        return self._caller.call(self._queue.purge, older_than=older_than, statuses=statuses)

    def pause(self, queue: str) -> None:
        """Stop handing out a lane's tasks; what runs goes on."""
        self._caller.call(self._queue.pause, queue)

    def resume(self, queue: str) -> None:
        """Hand out a lane's tasks again."""
        self._caller.call(self._queue.resume, queue)


async def _first_of(queue: TaskQueue, ids: Sequence[str]) -> str:
    completed = queue.as_completed([queue.handle(task_id) for task_id in ids])
    try:
        return str(await anext(completed))
    finally:
        await completed.aclose()


async def _next_of(queue: TaskQueue, task_id: str, after: int) -> OutputChunk | None:
    chunks = queue.follow_output(task_id, after=after)
    try:
        return await anext(chunks, None)
    finally:
        await chunks.aclose()
