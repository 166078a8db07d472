"""The contract on one SQLite file."""

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from os import PathLike, fspath
from typing import Any, TypeVar, cast

from sitq.backends.base import Backend
from sitq.backends.sqlite import dependencies, moving, output, reads, schedules, sharing, tasks
from sitq.backends.sqlite.claims import ClaimVerbs, Demand
from sitq.backends.sqlite.connection import Connection
from sitq.backends.sqlite.files import StoreFile, full_path, store_file
from sitq.backends.sqlite.owners import Owners, heartbeat
from sitq.backends.sqlite.watch import Bell
from sitq.backends.sqlite.writer import Writer
from sitq.core import Claim, Outcome, Report, Result, Task, TaskStatus, WorkerInfo
from sitq.exceptions import BackendError, ConfigurationError, ValidationError
from sitq.recurring import DueSchedules, Firing, Schedule, ScheduleInfo
from sitq.views import Attempt, OutputChunk, Stats, TaskInfo, TaskQuery

T = TypeVar("T")

_OLDEST_SQLITE = (3, 36)  # RETURNING, UPDATE FROM, shared memory databases
_LOOK = 0.2  # seconds between two looks whether another worker's process has died


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
        self._open: _OpenStore | None = None
        self._opening: asyncio.Lock | None = None

    def __repr__(self) -> str:
        return f"SQLiteBackend({self.path!r})"

    @property
    def connected(self) -> bool:
        return self._open is not None and self._open.usable

    def twin(self) -> "SQLiteBackend":
        return SQLiteBackend(self.path, create=self._create, read_only=self._read_only, **self._options)

    async def connect(self) -> None:
        if self.connected:
            self._store.check_use()
            return
        if self._open is not None:
            self._open.abandon()
            self._open = self._opening = None
        self._opening = self._opening or asyncio.Lock()
        async with self._opening:
            if self._open is None:
                self._open = await _OpenStore.open(self._file(), create=self._create, **self._options)

    def _file(self) -> StoreFile:
        return replace(store_file(self.path), read_only=self._read_only)

    async def close(self) -> None:
        store, self._open, self._opening = self._open, None, None
        if store is not None and store.usable:
            await store.close()
        elif store is not None:
            store.abandon()

    async def enqueue(self, tasks_: Sequence[Task]) -> list[str]:
        return cast(list[str], await self._store.write(tasks.enqueue, tasks_, rows=len(tasks_)))

    async def enqueue_on(self, connection: object, tasks_: Sequence[Task]) -> list[str]:
        return await sharing.enqueue_on(connection, self.path, self._options["clock"], tasks_)

    async def results(self, ids: Collection[str]) -> dict[str, Result]:
        return await self._store.read(reads.results, ids)

    async def tasks(self, ids: Collection[str]) -> dict[str, Task]:
        return await self._store.read(reads.tasks, ids)

    async def claim(self, worker_id: str, queues: Sequence[str] | None, *, limit: int, lease: float) -> list[Claim]:
        return (await self.exchange((), worker_id, queues, limit=limit, lease=lease))[1]

    async def finish(self, outcomes: Sequence[Outcome]) -> set[str]:
        return (await self._store.exchange(outcomes, Demand()))[0]

    async def exchange(
        self, outcomes: Sequence[Outcome], worker_id: str, queues: Sequence[str] | None, *, limit: int, lease: float
    ) -> tuple[set[str], list[Claim]]:
        return await self._store.exchange(outcomes, Demand(worker_id=worker_id, queues=queues, limit=limit))

    async def heartbeat(self, worker: WorkerInfo, claims: Mapping[str, int], *, lease: float) -> set[str]:
        return cast(set[str], await self._store.write(heartbeat, (worker, claims, lease)))

    async def inputs(self, task_id: str) -> dict[str, Result]:
        return await self._store.read(dependencies.inputs, task_id)

    async def report(self, reports: Sequence[Report]) -> None:
        await self._store.write(output.report, reports)

    async def stop_requests(self, worker_id: str) -> set[str]:
        return await self._store.read(reads.stop_requests, worker_id)

    async def cancel(self, ids: Collection[str]) -> set[str]:
        return cast(set[str], await self._store.write(tasks.cancel, ids))

    async def requeue(self, ids: Collection[str]) -> set[str]:
        return cast(set[str], await self._store.write(tasks.requeue, ids))

    async def run_now(self, ids: Collection[str]) -> set[str]:
        return cast(set[str], await self._store.write(tasks.run_now, ids))

    async def delete(self, ids: Collection[str]) -> set[str]:
        return cast(set[str], await self._store.write(tasks.delete, ids))

    async def purge(
        self, *, older_than: float | None = None, statuses: Collection[TaskStatus] | None = None, limit: int = 500
    ) -> int:
        return cast(int, await self._store.write(tasks.purge, (older_than, statuses, limit)))

    async def set_paused(self, queue: str, paused: bool) -> None:
        await self._store.write(tasks.set_paused, (queue, paused))

    async def put_schedule(self, schedule: Schedule) -> ScheduleInfo:
        return cast(ScheduleInfo, await self._store.write(schedules.put, schedule, rows=1))

    async def remove_schedule(self, name: str) -> bool:
        return cast(bool, await self._store.write(schedules.remove, name, rows=1))

    async def set_schedule_paused(self, name: str, paused: bool, *, next_at: datetime | None = None) -> bool:
        return cast(bool, await self._store.write(schedules.set_paused, (name, paused, next_at), rows=1))

    async def schedules(self) -> list[ScheduleInfo]:
        return await self._store.read(schedules.list_all, None)

    async def due_schedules(self) -> DueSchedules:
        return await self._store.read(schedules.due, self._store.now())

    async def fire(self, firing: Firing) -> list[str] | None:
        rows = 1 + len(firing.occurrences)
        return cast("list[str] | None", await self._store.write(schedules.fire, firing, rows=rows))

    async def run_schedule_now(self, name: str) -> str | None:
        return cast("str | None", await self._store.write(schedules.run_now, name, rows=1))

    async def restore(self, ended: Sequence[tuple[Task, Result]]) -> set[str]:
        return cast(set[str], await self._store.write(moving.restore, ended, rows=len(ended)))

    async def stored_schedules(self) -> list[Schedule]:
        return await self._store.read(moving.stored_schedules, None)

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

    @property
    def _store(self) -> "_OpenStore":
        if self._open is None:
            raise BackendError(f"{self.path} is not open; connect() first, or use `async with`")
        return self._open


class _OpenStore:
    """The connections of an open backend; they belong to one event loop of one process."""

    def __init__(self, writer: Connection, bell: Bell, options: dict[str, Any]) -> None:
        self.path = writer.file.path
        self._options = options
        self._writing = writer
        self._reading: Connection | None = writer if writer.file.in_memory or writer.file.read_only else None
        self._reader_lock = asyncio.Lock()
        self._bell = bell
        self._clock = writer.clock
        self._owners = Owners(writer.clock)
        self._exchange = ClaimVerbs(self._owners).exchange
        self._writer = Writer(writer, self._publish)
        self._next_due: int | None = None
        self._loop = asyncio.get_running_loop()
        self._pid = os.getpid()

    @classmethod
    async def open(cls, file: StoreFile, *, create: bool, **options: Any) -> "_OpenStore":
        file.prepare(create=create)
        writer = Connection(file, query_only=file.read_only, **options)
        await writer.open(create=create)
        return cls(writer, Bell(file), options)

    @property
    def usable(self) -> bool:
        """The loop that it was opened on still lives, and so does its process."""
        return self._pid == os.getpid() and not self._loop.is_closed()

    def check_use(self) -> None:
        """Refuse a forked child, and a second loop: replies of the database thread would go to the first."""
        if self._pid != os.getpid():
            raise BackendError(
                f"{self.path} was opened in process {self._pid} and cannot be used in its forked child "
                f"{os.getpid()}; make a backend in the child"
            )
        if self._loop is not asyncio.get_running_loop():
            raise BackendError(
                f"{self.path} is open on another event loop; make one SQLiteBackend for each loop, on the same path"
            )

    async def close(self) -> None:
        self.check_use()
        await self._writer.drain()
        self._bell.close()
        if self._reading is not None and self._reading is not self._writing:
            await self._reading.close()
        await self._writing.close()

    def abandon(self) -> None:
        """Let go of connections whose loop has ended or which another process opened."""
        if self._pid == os.getpid():
            self._bell.close()
        self._writing.abandon()
        if self._reading is not None:
            self._reading.abandon()

    async def write(self, verb: Callable[..., Any], request: Any, **rows: int) -> Any:
        self.check_use()
        if self._writing.file.read_only:
            raise BackendError(f"{self.path} is open for reading only; open it without read_only to change tasks")
        return await self._writer.do(verb, request, **rows)

    async def exchange(self, outcomes: Sequence[Outcome], demand: Demand) -> tuple[set[str], list[Claim]]:
        answer = await self.write(self._exchange, (outcomes, demand), rows=len(outcomes) + demand.limit)
        return cast(tuple[set[str], list[Claim]], answer)

    async def read(self, function: Callable[[sqlite3.Connection, Any], T], argument: Any) -> T:
        self.check_use()
        reader = await self._reader()
        return await reader.call(_read, reader, function, argument)

    async def wait(self, keys: Collection[str], *, timeout: float) -> None:
        """Wait for the bell, for a task to become due, or for another worker's process to die."""
        self.check_use()
        deadline = self._loop.time() + timeout
        while (left := deadline - self._loop.time()) > 0:
            due = self._next_due  # which another one who waits may have forgotten when this one wakes
            step = min(left, _LOOK, self._seconds_until(due))
            if step <= 0 or await self._bell.wait(keys, timeout=step) or self._owners.notice_death():
                break
            if self._seconds_until(due) <= 0:
                break
        if self._seconds_until(self._next_due) <= 0:
            self._next_due = None

    async def _reader(self) -> Connection:
        """Open the reading connection when it is first needed: a read never waits for a write lock."""
        if self._reading is None:
            async with self._reader_lock:
                if self._reading is None:
                    reader = Connection(self._writing.file, query_only=True, **self._options)
                    await reader.open()
                    reader.identity = self._writing.identity
                    self._reading = reader
        return self._reading

    def _publish(self, wakes: Iterable[str], due: int | None) -> None:
        if due is not None and (self._next_due is None or due < self._next_due):
            self._next_due = due
        self._bell.ring(wakes)

    def now(self) -> int:
        """Microseconds since the epoch."""
        return round(self._clock() * 1_000_000)

    def _seconds_until(self, moment: int | None) -> float:
        return float("inf") if moment is None else (moment - self.now()) / 1_000_000


def _read(
    raw: sqlite3.Connection, reader: Connection, function: Callable[[sqlite3.Connection, Any], T], argument: Any
) -> T:
    reader.check_identity()
    return reader.patiently(lambda: function(raw, argument))  # with a rollback journal a writer can be in the way
