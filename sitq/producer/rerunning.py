"""Sends stored calls again, as new tasks, with the old function or a corrected one."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sitq.backends.base import Backend
from sitq.copying import store_again
from sitq.core import LOOP_EXECUTOR, Task, TaskStatus
from sitq.exceptions import SerializationError, unknown_task
from sitq.handle import Door, TaskHandle
from sitq.inputs import TaskId, filling, noting
from sitq.options import GivenOptions
from sitq.producer.packing import CHUNK, executor_of, with_policy
from sitq.producer.preview import function_name
from sitq.retry import unwrap
from sitq.serialization import CallSerializer, required_python
from sitq.validation import callable_object, task_ids
from sitq.views import TaskQuery

Function = Callable[..., Any]


class Rerunner:
    """Makes new tasks of stored ones.

    Args:
        backend: open when a method is called.
        door: what the handles of the new tasks will ask.
    """

    def __init__(self, backend: Backend, serializer: CallSerializer, door: Door) -> None:
        self._backend = backend
        self._serializer = serializer
        self._door = door

    async def rerun(
        self, which: str | Collection[str] | TaskQuery, func: Function | None = None
    ) -> list[TaskHandle[Any]]:
        """Store the calls again, a chunk to a transaction; see `TaskQueue.rerun`."""
        if func is not None:
            callable_object(func)
        named = not isinstance(which, TaskQuery)
        ids = await self._matching(which) if isinstance(which, TaskQuery) else task_ids("which", which)
        handles: list[TaskHandle[Any]] = []
        for start in range(0, len(ids), CHUNK):
            chunk = ids[start : start + CHUNK]
            stored = await self._backend.tasks(chunk)
            if named and (missing := [task_id for task_id in chunk if task_id not in stored]):
                raise unknown_task(missing[0])
            handles += await self._send([stored[task_id] for task_id in chunk if task_id in stored], func)
        return handles

    async def _matching(self, query: TaskQuery) -> Sequence[str]:
        """Name all that a query matches, before anything is stored that it would match too; the oldest first."""
        query = replace(query, statuses=query.statuses or (TaskStatus.FAILED,), limit=CHUNK)
        ids: list[str] = []
        while page := await self._backend.list_tasks(query):
            ids += [info.id for info in page]
            query = replace(query, before=page[-1].id)
        return ids[::-1]

    async def _send(self, stored: Sequence[Task], func: Function | None) -> list[TaskHandle[Any]]:
        calls = stored if func is None else [self._corrected(task, func) for task in stored]
        return [TaskHandle(task.id, self._door) for task in await store_again(self._backend, calls)]

    def _corrected(self, task: Task, func: Function) -> Task:
        old, args, kwargs = self._load(task)
        old, retry = unwrap(old)
        retry = GivenOptions({}).on(func).retry or retry
        with noting({}):  # it needs the same as before
            payload = self._serializer.dumps_call(with_policy(func, retry), args, kwargs)
        return task._replace(
            payload=payload,
            python=required_python(payload),
            name=function_name(func) if task.name == function_name(old) else task.name,
            executor=executor_of(func, asked=None if task.executor == LOOP_EXECUTOR else task.executor),
            max_attempts=1 if retry is None else retry.max_attempts,
        )

    def _load(self, task: Task) -> tuple[Function, tuple[Any, ...], Mapping[str, Any]]:
        try:
            with filling(_ids):
                return self._serializer.loads_call(task.payload)
        except SerializationError as exc:
            message = f"task {task.id} ({task.name}) cannot be loaded here: {exc}"
            raise SerializationError(message, task_id=task.id) from exc


class _Ids:
    """Leaves the ids of needed tasks in the places of their values."""

    def __getitem__(self, task_id: str) -> TaskId:
        return TaskId(task_id)


_ids = _Ids()
