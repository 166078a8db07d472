"""The producer's door: turns calls into tasks, and finished tasks back into values."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Sequence
from contextlib import aclosing
from os import PathLike
from typing import Any, Self, TypeVar

from sitq.backends import as_backend
from sitq.backends.base import Backend
from sitq.core import Result, Task, TaskStatus
from sitq.exceptions import ValidationError, execution_error
from sitq.handle import TaskHandle
from sitq.inspector import Inspector
from sitq.options import GivenOptions
from sitq.producer.bound import BoundQueue
from sitq.producer.replaying import StoredCall, stored_call
from sitq.producer.rerunning import Rerunner
from sitq.producer.sending import Sender
from sitq.producer.waiting import ResultWatcher
from sitq.recurring import ScheduleInfo
from sitq.serialization import Serializer, call_serializer
from sitq.validation import not_negative
from sitq.views import Attempt, OutputChunk, Stats, TaskInfo, TaskQuery

R = TypeVar("R")


class TaskQueue(BoundQueue):
    """Enqueues calls and gives back what they came to.

    It connects on first use. A backend that was open before stays open when the queue is closed.

    Args:
        backend: a backend, or a path or URL; the file `sitq.db` unless given.
        serializer: an object with `dumps` and `loads`; cloudpickle's unless given.
        default_result_timeout: seconds that `get_result` waits when it is not told; None means as long as it takes.
        on_enqueue: called with tasks just before they are stored, in the context of who enqueues them.
    """

    def __init__(
        self,
        backend: Backend | str | PathLike[str] | None = None,
        serializer: Serializer | None = None,
        *,
        default_result_timeout: float | None = None,
        on_enqueue: Callable[[Sequence[Task]], object] | None = None,
    ) -> None:
        if default_result_timeout is not None:
            not_negative("default_result_timeout", default_result_timeout)
        self.backend = as_backend(backend)
        self.serializer = call_serializer(serializer)
        self._default_result_timeout = default_result_timeout
        self._inspector = Inspector(self.backend)
        self._watcher = ResultWatcher(self.backend)
        self._opened = False
        self._rerunner = Rerunner(self.backend, self.serializer, self)
        super().__init__(Sender(self.backend, self.serializer, self, self.connect, on_enqueue), GivenOptions({}))

    def __repr__(self) -> str:
        return f"TaskQueue({self.backend!r})"

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def connect(self) -> None:
        """Open the backend, unless it is open."""
        if not self.backend.connected:
            self._opened = True
            await self.backend.connect()

    async def close(self) -> None:
        """Let waiting callers go, and close the backend if it was opened here. Closing twice is harmless."""
        await self._watcher.close()
        if self._opened:
            self._opened = False
            await self.backend.close()

    async def schedules(self) -> list[ScheduleInfo]:
        """List all schedules by name."""
        await self.connect()
        return await self._inspector.schedules()

    async def unschedule(self, name: str) -> bool:
        """Remove a schedule; False when there is none of that name. What it has stored stays."""
        await self.connect()
        return await self._inspector.unschedule(name)

    async def pause_schedule(self, name: str) -> bool:
        """Let a schedule fire no more until it is resumed; False when there is none of that name."""
        await self.connect()
        return await self._inspector.pause_schedule(name)

    async def resume_schedule(self, name: str) -> bool:
        """Let a schedule go on with its next occurrence; False when there is none of that name."""
        await self.connect()
        return await self._inspector.resume_schedule(name)

    async def run_schedule_now(self, name: str) -> TaskHandle[Any]:
        """Store a task of a schedule at once, beside its occurrences; see `Inspector.run_schedule_now`."""
        await self.connect()
        return TaskHandle(await self._inspector.run_schedule_now(name), self)

    async def get_result(self, task_id: str, timeout: float | None = None) -> Result | None:
        """Wait until a task has ended and tell what it came to.

        Args:
            timeout: seconds; None means the queue's default.

        Returns:
            The result, also of a task that failed or was cancelled; None when the time is up or the id is unknown.
        """
        seconds = self._default_result_timeout if timeout is None else not_negative("timeout", timeout)
        await self.connect()
        return await self._watcher.wait(str(task_id), seconds)

    def deserialize_result(self, result: Result) -> Any:
        """Turn a result's bytes back into the value.

        Raises:
            TaskExecutionError: the task failed or was cancelled; the traceback is in its notes.
            ValidationError: the task has not ended.
        """
        if result.status is TaskStatus.SUCCESS and result.value is not None:
            return self.serializer.loads(result.value)
        if not result.status.is_final:
            raise ValidationError(f"task {result.task_id} is {result.status}, it has no value yet; use get_result")
        error = result.error or f"the task was {result.status}"
        raise execution_error(error, traceback=result.traceback, task_id=result.task_id)

    async def as_completed(self, handles: Iterable[TaskHandle[R]]) -> AsyncGenerator[TaskHandle[R], None]:
        """Yield handles in the order in which their tasks end."""
        await self.connect()
        async with aclosing(self._watcher.as_completed([str(handle) for handle in handles])) as ended:
            async for task_id in ended:
                yield TaskHandle(task_id, self)

    async def gather(self, *handles: TaskHandle[R], return_exceptions: bool = False) -> list[Any]:
        """Wait for the values of many tasks, in their order.

        Args:
            return_exceptions: give an error in the place of the value of a task that failed.

        Raises:
            TaskExecutionError: a task failed or was cancelled; the others go on.
        """
        await self.connect()
        waits = [asyncio.ensure_future(handle.result()) for handle in handles]
        try:
            return await asyncio.gather(*waits, return_exceptions=return_exceptions)
        finally:
            for wait in waits:
                wait.cancel()

    def handle(self, task_id: str) -> TaskHandle[Any]:
        """Make a handle of a stored id, for example after a restart."""
        return TaskHandle(task_id, self)

    async def get_task(self, task_id: str) -> TaskInfo | None:
        """Look one task up; None when the id is unknown."""
        await self.connect()
        return await self._inspector.get_task(task_id)

    async def list_tasks(self, query: TaskQuery | None = None) -> list[TaskInfo]:
        """List tasks, newest first, one page at a time."""
        await self.connect()
        return await self._inspector.list_tasks(query)

    async def attempts(self, task_id: str) -> list[Attempt]:
        """List the runs of a task, each with its error and traceback."""
        await self.connect()
        return await self._inspector.attempts(task_id)

    async def needs(self, task_id: str) -> list[str]:
        """List the ids of the tasks that a task needs or needed."""
        await self.connect()
        return await self._inspector.needs(task_id)

    async def output(self, task_id: str, *, after: int = 0) -> list[OutputChunk]:
        """List what a task wrote, in order; see `Inspector.output`."""
        await self.connect()
        return await self._inspector.output(task_id, after=after)

    async def follow_output(self, task_id: str, *, after: int = 0) -> AsyncGenerator[OutputChunk, None]:
        """Yield what a task writes as it comes, until the task has ended."""
        await self.connect()
        async with aclosing(self._inspector.follow_output(task_id, after=after)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def stats(self) -> Stats:
        """Count tasks by lane and status, and list the workers seen."""
        await self.connect()
        return await self._inspector.stats()

    async def cancel(self, ids: str | Collection[str]) -> set[str]:
        """Make pending tasks cancelled and ask running ones to stop; returns the ids that were reached."""
        await self.connect()
        return await self._inspector.cancel(ids)

    async def requeue(self, ids: str | Collection[str]) -> set[str]:
        """Make failed and cancelled tasks due again; returns the ids that were reached."""
        await self.connect()
        return await self._inspector.requeue(ids)

    async def run_now(self, ids: str | Collection[str]) -> set[str]:
        """Make scheduled and retrying tasks due now; returns the ids that were reached."""
        await self.connect()
        return await self._inspector.run_now(ids)

    async def rerun(
        self, which: str | Collection[str] | TaskQuery, func: Callable[..., Any] | None = None
    ) -> list[TaskHandle[Any]]:
        """Store the calls of tasks again, as new tasks: same arguments and options, due at once.

        A thousand go to a transaction, each thousand entirely or not at all. A new task keeps its key unless an
        unfinished task holds it, and its `meta["rerun_of"]` is the id of the old one, which stays as it is.

        Args:
            which: ids, in any state; or a query: then all that it matches, not only one page, the oldest first, and
                of these the failed ones if it names no status.
            func: takes the place of the old function. Its own retry policy, if it has one, takes the place of the old
                one; its other defaults do not count.

        Raises:
            TaskQueueError: there is no task with one of the ids.
            SerializationError: a call cannot be loaded here, which is only tried if `func` is given.
        """
        await self.connect()
        return await self._rerunner.rerun(which, func)

    async def replay(self, task_id: str, func: Callable[..., Any] | None = None) -> Any:
        """Run the stored call of a task here and now, and return or raise what it does.

        A function runs in the calling thread, a coroutine function in the calling asyncio task, so that a debugger,
        breakpoints and prints work. The store is only read; no timeout and no retry policy is applied.

        Args:
            func: takes the place of the stored function, to try a correction with the stored arguments.

        Raises:
            TaskQueueError: there is no such task.
            SerializationError: the call cannot be loaded here.
        """
        call = await self._stored_call(task_id)
        return await call.run(func)

    async def _stored_call(self, task_id: str) -> StoredCall:
        await self.connect()
        return await stored_call(str(task_id), self.backend, self.serializer)

    async def delete(self, ids: str | Collection[str]) -> set[str]:
        """Remove tasks that are not running; returns the ids that were reached."""
        await self.connect()
        return await self._inspector.delete(ids)

    async def purge(self, *, older_than: float | None = None, statuses: Collection[TaskStatus] | None = None) -> int:
        """Remove all final tasks whose retention is over; see `Inspector.purge`."""
        await self.connect()
        return await self._inspector.purge(older_than=older_than, statuses=statuses)

    async def pause(self, queue: str) -> None:
        """Stop handing out a lane's tasks; what runs goes on."""
        await self.connect()
        await self._inspector.pause(queue)

    async def resume(self, queue: str) -> None:
        """Hand out a lane's tasks again."""
        await self.connect()
        await self._inspector.resume(queue)
