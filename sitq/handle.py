"""A task's id that can also be asked."""

from collections.abc import Callable, Collection, Generator
from typing import Any, Generic, Protocol, Self, TypeVar

from sitq.core import Progress, Result, TaskStatus
from sitq.exceptions import TaskQueueError, TimeoutError, unknown_task
from sitq.inputs import TaskId
from sitq.views import OutputChunk, TaskInfo

R = TypeVar("R")


class Door(Protocol):
    """What a handle asks of the queue that made it."""

    async def get_result(self, task_id: str, timeout: float | None = None) -> Result | None: ...
    def deserialize_result(self, result: Result) -> Any: ...
    async def get_task(self, task_id: str) -> TaskInfo | None: ...
    async def output(self, task_id: str, *, after: int = 0) -> list[OutputChunk]: ...
    async def cancel(self, ids: str | Collection[str]) -> set[str]: ...
    async def requeue(self, ids: str | Collection[str]) -> set[str]: ...
    async def rerun(
        self, which: str | Collection[str], func: Callable[..., Any] | None = None
    ) -> "list[TaskHandle[Any]]": ...
    async def replay(self, task_id: str, func: Callable[..., Any] | None = None) -> Any: ...


class TaskHandle(TaskId, Generic[R]):
    """A string equal to the task's id; `await handle` gives the value of the task.

    As an argument of another call it stands for that value; anywhere else it is pickled as the id alone.
    """

    _door: Door

    def __new__(cls, task_id: str, door: Door) -> Self:
        handle = super().__new__(cls, task_id)
        handle._door = door
        return handle

    def __await__(self) -> Generator[Any, None, R]:
        return self.result().__await__()

    async def result(self, timeout: float | None = None) -> R:
        """Wait for the value.

        Args:
            timeout: seconds; None means the queue's default.

        Raises:
            TaskExecutionError: the task failed or was cancelled.
            TimeoutError: the time is up; the task goes on.
            TaskQueueError: there is no such task.
        """
        result = await self._door.get_result(self, timeout)
        if result is None:
            raise await self._no_result()
        value: R = self._door.deserialize_result(result)
        return value

    async def info(self) -> TaskInfo | None:
        """Look at the task; None when there is no such task."""
        return await self._door.get_task(self)

    async def status(self) -> TaskStatus | None:
        """Tell its status; None when there is no such task."""
        info = await self.info()
        return None if info is None else info.status

    async def progress(self) -> Progress | None:
        """Tell how far it has come; None when it did not say."""
        info = await self.info()
        return None if info is None else info.progress

    async def output(self, *, after: int = 0) -> list[OutputChunk]:
        """List what it wrote, in order; see `Inspector.output`."""
        return await self._door.output(self, after=after)

    async def cancel(self) -> bool:
        """Cancel it, or ask it to stop; False when it has ended already."""
        return bool(await self._door.cancel(self))

    async def requeue(self) -> bool:
        """Run it again after it failed or was cancelled; False in any other state."""
        return bool(await self._door.requeue(self))

    async def rerun(self, func: Callable[..., Any] | None = None) -> "TaskHandle[Any]":
        """Store its call again as a new task, with a corrected function if one is given; see `TaskQueue.rerun`."""
        (handle,) = await self._door.rerun((self,), func)
        return handle

    async def replay(self, func: Callable[..., Any] | None = None) -> Any:
        """Run its call here, with another function if one is given; see `TaskQueue.replay`."""
        return await self._door.replay(self, func)

    async def _no_result(self) -> TaskQueueError:
        status = await self.status()
        if status is None:
            return unknown_task(self)
        return TimeoutError(f"task {self!s} is still {status}; it goes on, wait again", task_id=str(self))
