"""Sends calls into the store, for a queue and its views with options."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from copy import copy
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any

from sitq.backends.base import Backend
from sitq.core import Task
from sitq.exceptions import ValidationError
from sitq.handle import Door, TaskHandle
from sitq.options import GivenOptions, TaskOptions
from sitq.producer.packing import CHUNK, Packer
from sitq.recurring import ScheduleInfo
from sitq.schedules import Recurrence, new_schedule
from sitq.serialization import CallSerializer
from sitq.validation import arguments


class Sender:
    """Packs calls and stores them.

    Args:
        door: what the handles of the stored tasks will ask.
        connect: opens the backend if need be.
        on_enqueue: called with tasks just before they are stored.
    """

    def __init__(
        self,
        backend: Backend,
        serializer: CallSerializer,
        door: Door,
        connect: Callable[[], Awaitable[None]],
        on_enqueue: Callable[[Sequence[Task]], object] | None,
    ) -> None:
        self._backend = backend
        self._packer = Packer(serializer)
        self._door = door
        self._connect = connect
        self._on_enqueue = on_enqueue
        self._store = backend.enqueue
        self._connection: object = None

    def on(self, connection: object) -> "Sender":
        """Make one that stores inside the transaction that is open on this connection."""
        sender = copy(self)
        sender._store = partial(self._backend.enqueue_on, connection)
        sender._connection = connection
        return sender

    async def send(
        self,
        given: GivenOptions,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        eta: datetime | None,
    ) -> TaskHandle[Any]:
        """Store one call."""
        if eta is not None:
            given = given.but(eta=eta)
        task = self._packer.pack(given.on(func), func, args, kwargs)
        if not self._backend.connected:
            await self._connect()
        if self._on_enqueue is not None:
            self._on_enqueue((task,))
        (task_id,) = await self._store((task,))
        return TaskHandle(task_id, self._door)

    async def send_many(
        self, given: GivenOptions, func: Callable[..., Any], args_list: Iterable[Sequence[Any]]
    ) -> list[TaskHandle[Any]]:
        """Store many calls of one function, a chunk to a transaction."""
        if not self._backend.connected:
            await self._connect()
        chunks = self._pack_many(given.on(func), func, iter(args_list))
        if self._connection is None:
            return [TaskHandle(task_id, self._door) async for task_id in self._store_ahead(chunks)]
        return [TaskHandle(task_id, self._door) for chunk in chunks for task_id in await self._store(chunk)]

    def _pack_many(
        self, options: TaskOptions, func: Callable[..., Any], args_list: Iterator[Sequence[Any]]
    ) -> Iterator[list[Task]]:
        while chunk := [arguments(args) for args in islice(args_list, CHUNK)]:
            tasks = self._packer.pack_many(options, func, chunk)
            if self._on_enqueue is not None:
                self._on_enqueue(tasks)
            yield tasks

    async def _store_ahead(self, chunks: Iterable[list[Task]]) -> AsyncIterator[str]:
        """Store chunks, and have one packed while the one before is stored."""
        stored: asyncio.Task[list[str]] | None = None
        for tasks in chunks:
            if stored is not None:
                for task_id in await stored:
                    yield task_id
            stored = asyncio.ensure_future(self._store(tasks))
            await asyncio.sleep(0)
        if stored is not None:
            for task_id in await stored:
                yield task_id

    async def schedule(
        self,
        given: GivenOptions,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        recurrence: Recurrence,
        name: str | None,
    ) -> ScheduleInfo:
        """Store a call that recurs."""
        if self._connection is not None:
            raise ValidationError("a schedule is stored in a transaction of its own; leave the option connection out")
        options = given.on(func)
        if options.eta is not None or options.delay:
            raise ValidationError("a schedule itself says when; leave the options eta and delay out")
        task = self._packer.pack(options, func, args, kwargs)
        if task.needs or task.after:
            raise ValidationError("a schedule recurs, and cannot wait for other tasks; pass their values or their ids")
        if name is None and task.name.endswith("<lambda>"):
            raise ValidationError('a lambda has no name of its own; give the schedule one: name="every morning"')
        await self._connect()
        now = (await self._backend.due_schedules()).now  # by the store's clock, which decides what is due
        schedule = new_schedule(task, recurrence, name=task.name if name is None else name, now=now)
        return await self._backend.put_schedule(schedule)
