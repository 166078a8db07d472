"""A task's id that can be asked and awaited from a cell."""

from collections.abc import Callable, Generator
from datetime import UTC, datetime
from functools import partial
from typing import Any, Generic, Self, TypeVar

from sitq.core import Progress, Result, TaskStatus
from sitq.exceptions import ValidationError
from sitq.inputs import TaskId
from sitq.notebook.client import GLANCE, Client, refuse_in_task
from sitq.notebook.delivery import post_via
from sitq.notebook.display import Row, say, task_html, task_text, tasks_html, tasks_text
from sitq.notebook.group import Group
from sitq.notebook.panel import Panel
from sitq.views import TaskInfo, TaskQuery

R = TypeVar("R")


class LiveHandle(TaskId, Generic[R]):
    """A string equal to the task's id; `await handle` gives the task's value.

    As an argument of another call it stands for that value; anywhere else it is pickled as the id alone.

    Waiting watches, no more: whoever interrupts or cancels a wait leaves the task running, and can wait again.
    """

    _client: Client
    _seen: TaskInfo | None

    def __new__(cls, task_id: str, client: Client, seen: TaskInfo | None = None) -> Self:
        handle = super().__new__(cls, task_id)
        handle._client = client
        handle._seen = seen
        return handle

    def __await__(self) -> Generator[Any, None, R]:
        return self._value().__await__()

    def result(self, timeout: float | None = None) -> R:
        """Block until the task has a value. `await handle` does the same and lets the kernel go on.

        Args:
            timeout: seconds; None means as long as it takes.

        Raises:
            TaskExecutionError: the task failed or was cancelled; the traceback is in its notes.
            TimeoutError: the time is up; the task goes on.
            TaskQueueError: there is no such task.
            WorkerError: the task has not ended, and the worker is stopped.
            RuntimeError: called inside a task, where it would deadlock.
        """
        refuse_in_task("result")
        try:
            result = self._client.call(self._client.ended, str(self), timeout)
        except KeyboardInterrupt:
            say(f'the task goes on; wait again with w.get("{self!s}").result()')
            raise
        return self._value_of(result)

    @property
    def status(self) -> TaskStatus | None:
        """What the task has come to; None when there is no such task."""
        info = self.info()
        return None if info is None else info.status

    def info(self) -> TaskInfo | None:
        """Look at the task; None when there is no such task."""
        return self._client.call(self._client.queue.get_task, str(self))

    @property
    def progress(self) -> Progress | None:
        """How far the task has come; None when it did not say."""
        info = self.info()
        return None if info is None else info.progress

    @property
    def output(self) -> str:
        """What the task has written so far, all attempts together."""
        return self._client.call(self._client.text_of, str(self))

    def show(self) -> None:
        """Show the task below this cell, live; see `BackgroundWorker.show`."""
        LiveHandles([self]).show()

    def cancel(self) -> bool:
        """Cancel the task, or ask it to stop; False when it has ended already."""
        return bool(self._client.call(self._client.queue.cancel, str(self)))

    def rerun(self, func: Callable[..., Any] | None = None) -> "LiveHandle[Any]":
        """Store the call again as a new task, with a corrected function if one is given; see `TaskQueue.rerun`."""
        (task_id,) = self._client.call(self._client.queue.rerun, str(self), func)
        return LiveHandle(task_id, self._client)

    async def replay(self, func: Callable[..., Any] | None = None) -> Any:
        """Run the stored call here, in this kernel, and raise what it raises: `%debug` then stands where it failed.

        Args:
            func: a corrected function to try with the stored arguments.
        """
        stored = await self._client.follow(self._client.stored_call, str(self))
        return await stored.run(func)

    def requeue(self) -> bool:
        """Run the task again after it failed or was cancelled; False in any other state."""
        return bool(self._client.call(self._client.queue.requeue, str(self)))

    def add_done_callback(self, function: Callable[[Self], object], *, via: Any = None) -> None:
        """Call a function with this handle once the task has ended, on the thread where it may touch what it shows.

        It is also called when the task was deleted or its worker stopped: `result` then says so.

        Args:
            via: where to call it: an event loop, a Tk widget or a Qt object of this thread, or a function that takes
                the call; None means the running loop, or without one a thread of its own.

        Raises:
            ValidationError: `function` is no function, or `via` is none of these.
        """
        if not callable(function):
            raise ValidationError(f"a callback must be a function that takes the handle, got {function!r:.60}")
        self._client.when_ended(str(self), partial(post_via(via), partial(function, self)))

    def __repr__(self) -> str:
        return task_text(str(self), self._look(), datetime.now(UTC))

    def _repr_html_(self) -> str:
        return task_html(str(self), self._look(), datetime.now(UTC))

    def _look(self) -> TaskInfo | None:
        self._seen = self._client.call_within(GLANCE, self._client.queue.get_task, str(self)) or self._seen
        return self._seen

    async def _value(self) -> R:
        return self._value_of(await self._client.follow(self._client.ended, str(self)))

    def _value_of(self, result: Result) -> R:
        value: R = self._client.queue.deserialize_result(result)
        return value


class LiveHandles(list[LiveHandle[R]]):
    """Handles that show as a table of their tasks."""

    def show(self) -> None:
        """Show the tasks below this cell, live: one bar for all of them, and those that are not done."""
        if self:
            Panel(self.as_group())

    def as_group(self) -> Group:
        """Take them together, as a panel shows them; there must be one at least."""
        return Group(self[0]._client, [str(handle) for handle in self])

    def __repr__(self) -> str:
        return tasks_text(self._look(), datetime.now(UTC))

    def _repr_html_(self) -> str:
        return tasks_html(self._look(), datetime.now(UTC))

    def _look(self) -> list[Row]:
        if not self:
            return []
        client, ids = self[0]._client, tuple(str(handle) for handle in self)
        query = TaskQuery(ids=ids[:20], limit=20)
        found = {info.id: info for info in client.call_within(GLANCE, client.queue.list_tasks, query) or ()}
        return [(str(handle), found.get(str(handle), handle._seen)) for handle in self]
