"""Runs a stored call in the hands of who asked for it: their thread, their debugger, their prints."""

import asyncio
import contextlib
import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sitq import context
from sitq._portal import loop_runs_here
from sitq.backends.base import Backend
from sitq.context import TaskContext
from sitq.core import Result
from sitq.exceptions import SyncTaskQueueError, unknown_task
from sitq.serialization import CallSerializer, load_call
from sitq.views import TaskQuery


async def stored_call(task_id: str, backend: Backend, serializer: CallSerializer) -> "StoredCall":
    """Read a task's call.

    Raises:
        TaskQueueError: there is no such task.
    """
    stored = (await backend.tasks((task_id,))).get(task_id)
    infos = await backend.list_tasks(TaskQuery(ids=(task_id,)))
    if stored is None or not infos:
        raise unknown_task(task_id)
    inputs = await backend.inputs(task_id)
    return StoredCall(task_id, stored.name, max(infos[0].attempt, 1), stored.payload, inputs, serializer)


@dataclass(frozen=True, slots=True)
class StoredCall:
    """The call of a task, not loaded yet.

    Attributes:
        attempt: number of the task's last attempt, as `current_task` tells it; 1 before the first.
        inputs: what the tasks came to whose values it takes.
    """

    id: str
    name: str
    attempt: int
    payload: bytes = field(repr=False)
    inputs: Mapping[str, Result] = field(repr=False)
    serializer: CallSerializer

    async def run(self, func: Callable[..., Any] | None = None) -> Any:
        """Load it and run it here; what comes back to be awaited is awaited in the calling asyncio task."""
        with self._context():
            value = self._call(func)
            return await value if inspect.isawaitable(value) else value

    def run_blocking(self, func: Callable[..., Any] | None = None) -> Any:
        """Load it and run it in the calling thread, what comes back to be awaited on a loop of its own.

        Raises:
            SyncTaskQueueError: it must be awaited, and a loop is running in this thread.
        """
        with self._context():
            value = self._call(func)
            if not inspect.isawaitable(value):
                return value
            if loop_runs_here():
                _discard(value)
                raise SyncTaskQueueError(f"{self.name} must be awaited, and a loop runs here; use TaskQueue and await")
            return asyncio.run(_waited(value))

    def _call(self, func: Callable[..., Any] | None) -> Any:
        function, args, kwargs, _ = load_call(self.serializer, self.payload, self.inputs)
        return (function if func is None else func)(*args, **kwargs)

    @contextlib.contextmanager
    def _context(self) -> Iterator[None]:
        token = context.enter(TaskContext(self.id, self.attempt, self.name))
        try:
            yield
        finally:
            context.leave(token)


async def _waited(value: Awaitable[Any]) -> Any:
    return await value


def _discard(value: Awaitable[Any]) -> None:
    if inspect.iscoroutine(value):
        value.close()
