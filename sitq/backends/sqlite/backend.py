"""The contract on one SQLite file."""

import sqlite3
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from os import PathLike, fspath
from typing import Any, cast

from sitq.backends.base import Backend
from sitq.backends.opening import Opening
from sitq.backends.sqlite import acting, dependencies, moving, output, reads, schedules, sharing, tasks
from sitq.backends.sqlite.claims import Demand
from sitq.backends.sqlite.files import full_path, store_file
from sitq.backends.sqlite.owners import heartbeat
from sitq.backends.sqlite.store import OpenStore
from sitq.core import Claim, Outcome, Report, Result, Task, TaskStatus, WorkerInfo
from sitq.exceptions import ConfigurationError, ValidationError
from sitq.recurring import DueSchedules, Firing, Schedule, ScheduleInfo
from sitq.views import Attempt, OutputChunk, Stats, TaskInfo, TaskQuery

_OLDEST_SQLITE = (3, 36)  # RETURNING, UPDATE FROM, shared memory databases


class SQLiteBackend(Backend):
    """Keeps tasks in one SQLite file, made on first use and readable by its owner alone.

    Args:
        path: the file, or `:memory:` for a store that all backends of this process share while one is open.
        create: make the file or migrate its schema if need be; without it such a file is refused unchanged.
        read_only: open the file for reading only; the verbs that change it are refused. It is never made or migrated.
        durability: "normal" loses nothing when a process dies, and at most the last moments when the power fails;
            "full" waits for the disk at every commit, which costs 7 % in batches and 62 % for single tasks.
        lock_timeout: seconds to try while another program holds the file's lock.
        clock: tells seconds since the epoch; it decides what is due, and `sitq.testing.Clock` can be set forward.

    Raises:
        ValidationError: an argument cannot be right.
        ConfigurationError: Python's SQLite is older than 3.36.
    """

    def __init__(
        self,
        path: str | PathLike[str] = "sitq.db",
        *,
        create: bool = True,
        read_only: bool = False,
        durability: str = "normal",
        lock_timeout: float = 30.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if durability not in ("normal", "full"):
            raise ValidationError(f'durability must be "normal" or "full", got {durability!r}')
        if lock_timeout < 0:
            raise ValidationError(f"lock_timeout must be 0 seconds or more, got {lock_timeout}")
        if not fspath(path):
            raise ValidationError('path must name a file, got ""')
        if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            raise ConfigurationError(f"SQLite 3.36 or newer is needed, this Python has {sqlite3.sqlite_version}")
        # At once, so that a twin that opens after a change of folder opens the same file.
        self.path = full_path(fspath(path))
        self._options: dict[str, Any] = {"durability": durability, "lock_timeout": lock_timeout, "clock": clock}
        self._create = create and not read_only
        self._read_only = read_only
        self._opening = Opening(self.path, self._open_store, read_only=read_only)

    def __repr__(self) -> str:
        return f"SQLiteBackend({self.path!r})"

    @property
    def connected(self) -> bool:
        return self._opening.usable

    def twin(self) -> "SQLiteBackend":
        return SQLiteBackend(self.path, create=self._create, read_only=self._read_only, **self._options)

    async def connect(self) -> None:
        await self._opening.open()

    async def close(self) -> None:
        await self._opening.close()

    async def _open_store(self) -> OpenStore:
        file = replace(store_file(self.path), read_only=self._read_only)
        return await OpenStore.open(file, create=self._create, **self._options)

    @property
    def _store(self) -> OpenStore:
        return self._opening.store

    @property
    def _writable(self) -> OpenStore:
        return self._opening.writable

    async def enqueue(self, tasks_: Sequence[Task]) -> list[str]:
        return cast(list[str], await self._writable.write(tasks.enqueue, tasks_, rows=len(tasks_)))

    async def enqueue_on(self, connection: object, tasks_: Sequence[Task]) -> list[str]:
        return await sharing.enqueue_on(connection, self.path, self._options["clock"], tasks_)

    async def results(self, ids: Collection[str]) -> dict[str, Result]:
        return await self._store.read(reads.results, ids)

    async def tasks(self, ids: Collection[str]) -> dict[str, Task]:
        return await self._store.read(reads.tasks, ids)

    async def claim(self, worker_id: str, queues: Sequence[str] | None, *, limit: int, lease: float) -> list[Claim]:
        return (await self.exchange((), worker_id, queues, limit=limit, lease=lease))[1]

    async def inputs(self, task_id: str) -> dict[str, Result]:
        return await self._store.read(dependencies.inputs, task_id)

    async def finish(self, outcomes: Sequence[Outcome]) -> set[str]:
        return (await self._writable.exchange(outcomes, Demand()))[0]

    async def exchange(
        self, outcomes: Sequence[Outcome], worker_id: str, queues: Sequence[str] | None, *, limit: int, lease: float
    ) -> tuple[set[str], list[Claim]]:
        return await self._writable.exchange(outcomes, Demand(worker_id=worker_id, queues=queues, limit=limit))

    async def report(self, reports: Sequence[Report]) -> None:
        await self._writable.write(output.report, reports)

    async def heartbeat(self, worker: WorkerInfo, claims: Mapping[str, int], *, lease: float) -> set[str]:
        return cast(set[str], await self._writable.write(heartbeat, (worker, claims, lease)))

    async def stop_requests(self, worker_id: str) -> set[str]:
        return await self._store.read(reads.stop_requests, worker_id)

    async def cancel(self, ids: Collection[str]) -> set[str]:
        return cast(set[str], await self._writable.write(acting.cancel, ids))

    async def requeue(self, ids: Collection[str]) -> set[str]:
        return cast(set[str], await self._writable.write(acting.requeue, ids))

    async def run_now(self, ids: Collection[str]) -> set[str]:
        return cast(set[str], await self._writable.write(acting.run_now, ids))

    async def delete(self, ids: Collection[str]) -> set[str]:
        return cast(set[str], await self._writable.write(acting.delete, ids))

    async def purge(
        self, *, older_than: float | None = None, statuses: Collection[TaskStatus] | None = None, limit: int = 500
    ) -> int:
        return cast(int, await self._writable.write(acting.purge, (older_than, statuses, limit)))

    async def set_paused(self, queue: str, paused: bool) -> None:
        await self._writable.write(acting.set_paused, (queue, paused))

    async def put_schedule(self, schedule: Schedule) -> ScheduleInfo:
        return cast(ScheduleInfo, await self._writable.write(schedules.put, schedule, rows=1))

    async def remove_schedule(self, name: str) -> bool:
        return cast(bool, await self._writable.write(schedules.remove, name, rows=1))

    async def set_schedule_paused(self, name: str, paused: bool, *, next_at: datetime | None = None) -> bool:
        return cast(bool, await self._writable.write(schedules.set_paused, (name, paused, next_at), rows=1))

    async def schedules(self) -> list[ScheduleInfo]:
        return await self._store.read(schedules.list_all, None)

    async def due_schedules(self) -> DueSchedules:
        return await self._store.read(schedules.due, self._store.now())

    async def fire(self, firing: Firing) -> list[str] | None:
        rows = 1 + len(firing.occurrences)
        return cast("list[str] | None", await self._writable.write(schedules.fire, firing, rows=rows))

    async def run_schedule_now(self, name: str) -> str | None:
        return cast("str | None", await self._writable.write(schedules.run_now, name, rows=1))

    async def restore(self, ended: Sequence[tuple[Task, Result]]) -> set[str]:
        return cast(set[str], await self._writable.write(moving.restore, ended, rows=len(ended)))

    async def stored_schedules(self) -> list[Schedule]:
        return await self._store.read(schedules.stored_schedules, None)

    async def list_tasks(self, query: TaskQuery) -> list[TaskInfo]:
        return await self._store.read(reads.list_tasks, (query, self._store.now()))

    async def attempts(self, task_id: str) -> list[Attempt]:
        return await self._store.read(reads.attempts, task_id)

    async def needs(self, task_id: str) -> list[str]:
        return await self._store.read(dependencies.needs, task_id)

    async def output(self, task_id: str, *, after: int = 0, limit: int = 1000) -> list[OutputChunk]:
        return await self._store.read(output.output, (task_id, after, limit))

    async def output_tail(self, task_id: str, *, limit: int) -> list[OutputChunk]:
        return await self._store.read(output.output_tail, (task_id, limit))

    async def stats(self) -> Stats:
        return await self._store.read(reads.stats, self._store.now())

    async def wait(self, keys: Collection[str], *, timeout: float) -> None:
        await self._store.wait(keys, timeout=timeout)
