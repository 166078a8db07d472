"""The contract on a schema of a PostgreSQL database."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from sitq.backends.base import Backend
from sitq.backends.opening import Opening
from sitq.backends.postgres import acting, moving, output, owners, reads, schedules, sharing, tasks
from sitq.backends.postgres.address import parse
from sitq.backends.postgres.store import OpenStore, Verb
from sitq.core import Claim, Outcome, Report, Result, Task, TaskStatus, WorkerInfo
from sitq.recurring import DueSchedules, Firing, Schedule, ScheduleInfo
from sitq.validation import not_negative, positive
from sitq.views import Attempt, OutputChunk, Stats, TaskInfo, TaskQuery

# Those that are sent again when their answer was lost come to the same when they are done twice.
_ENQUEUE = Verb(tasks.enqueue, together=True, again=True)
_REPORT = Verb(output.report, together=True)
_HEARTBEAT = Verb(owners.heartbeat, again=True)
_CANCEL = Verb(acting.cancel)
_REQUEUE = Verb(acting.requeue)
_RUN_NOW = Verb(acting.run_now)
_DELETE = Verb(acting.delete)
_PURGE = Verb(acting.purge)
_SET_PAUSED = Verb(acting.set_paused, again=True)
_PUT_SCHEDULE = Verb(schedules.put, again=True)
_REMOVE_SCHEDULE = Verb(schedules.remove)
_SET_SCHEDULE_PAUSED = Verb(schedules.set_paused, again=True)
_FIRE = Verb(schedules.fire)
_RUN_SCHEDULE_NOW = Verb(schedules.run_now)
_RESTORE = Verb(moving.restore)


class PostgresBackend(Backend):
    """Keeps tasks in a schema of a PostgreSQL database, made on first use.

    Args:
        url: `postgresql://user:password@host:5432/database`; `?schema=name` names the schema, `sitq` unless given, and
            other parameters go to the driver, such as `sslmode=verify-full`.
        create: make the schema or migrate it if need be; without it such a store is refused unchanged.
        read_only: refuse the verbs that change the store, which is never made or migrated.
        command_timeout: seconds that the server may take to answer.
        reconnect_timeout: seconds in which a verb looks for a server that went away, before it gives up.

    Raises:
        ValidationError: an argument cannot be right.
    """

    def __init__(
        self,
        url: str,
        *,
        create: bool = True,
        read_only: bool = False,
        command_timeout: float = 30.0,
        reconnect_timeout: float = 5.0,
    ) -> None:
        self._url = url
        self._options: dict[str, Any] = {
            "create": create,
            "read_only": read_only,
            "command_timeout": positive("command_timeout", command_timeout),
            "reconnect_timeout": not_negative("reconnect_timeout", reconnect_timeout),
        }
        self._address = parse(
            url, command_timeout=command_timeout, reconnect_timeout=reconnect_timeout, read_only=read_only
        )
        self._create = create and not read_only
        self._opening = Opening(self._address.shown, self._open_store, read_only=read_only)

    def __repr__(self) -> str:
        return f"PostgresBackend({self._address.shown!r})"

    @property
    def connected(self) -> bool:
        return self._opening.usable

    @property
    def remote(self) -> bool:
        return self._address.remote

    def twin(self) -> "PostgresBackend":
        return PostgresBackend(self._url, **self._options)

    async def connect(self) -> None:
        await self._opening.open()

    async def close(self) -> None:
        await self._opening.close()

    async def _open_store(self) -> OpenStore:
        store = OpenStore(self._address)
        await store.open(create=self._create)
        return store

    @property
    def _store(self) -> OpenStore:
        return self._opening.store

    @property
    def _writable(self) -> OpenStore:
        return self._opening.writable

    async def enqueue(self, tasks_: Sequence[Task]) -> list[str]:
        return cast(list[str], await self._writable.act(_ENQUEUE, tasks_, weight=len(tasks_)))

    async def enqueue_on(self, connection: object, tasks_: Sequence[Task]) -> list[str]:
        return await sharing.enqueue_on(connection, self._address, self._writable.id, tasks_)

    async def results(self, ids: Collection[str]) -> dict[str, Result]:
        return await self._store.read(reads.results, ids)

    async def tasks(self, ids: Collection[str]) -> dict[str, Task]:
        return await self._store.read(reads.tasks, ids)

    async def claim(self, worker_id: str, queues: Sequence[str] | None, *, limit: int, lease: float) -> list[Claim]:
        return (await self._writable.exchange((), worker_id, queues, limit))[1]

    async def inputs(self, task_id: str) -> dict[str, Result]:
        return await self._store.read(reads.inputs, task_id)

    async def finish(self, outcomes: Sequence[Outcome]) -> set[str]:
        return (await self._writable.exchange(outcomes, None, None, 0))[0]

    async def exchange(
        self, outcomes: Sequence[Outcome], worker_id: str, queues: Sequence[str] | None, *, limit: int, lease: float
    ) -> tuple[set[str], list[Claim]]:
        return await self._writable.exchange(outcomes, worker_id, queues, limit)

    async def report(self, reports: Sequence[Report]) -> None:
        await self._writable.act(_REPORT, reports, weight=len(reports))

    async def heartbeat(self, worker: WorkerInfo, claims: Mapping[str, int], *, lease: float) -> set[str]:
        return cast(set[str], await self._writable.act(_HEARTBEAT, (worker, claims, lease)))

    async def stop_requests(self, worker_id: str) -> set[str]:
        return await self._store.stop_requests(worker_id)

    async def cancel(self, ids: Collection[str]) -> set[str]:
        return await self._writable.cancel(_CANCEL, ids)

    async def requeue(self, ids: Collection[str]) -> set[str]:
        return cast(set[str], await self._writable.act(_REQUEUE, ids))

    async def run_now(self, ids: Collection[str]) -> set[str]:
        return cast(set[str], await self._writable.act(_RUN_NOW, ids))

    async def delete(self, ids: Collection[str]) -> set[str]:
        return cast(set[str], await self._writable.act(_DELETE, ids))

    async def purge(
        self, *, older_than: float | None = None, statuses: Collection[TaskStatus] | None = None, limit: int = 500
    ) -> int:
        return cast(int, await self._writable.act(_PURGE, (older_than, statuses, limit)))

    async def set_paused(self, queue: str, paused: bool) -> None:
        await self._writable.act(_SET_PAUSED, (queue, paused))

    async def put_schedule(self, schedule: Schedule) -> ScheduleInfo:
        return cast(ScheduleInfo, await self._writable.act(_PUT_SCHEDULE, schedule))

    async def remove_schedule(self, name: str) -> bool:
        return cast(bool, await self._writable.act(_REMOVE_SCHEDULE, name))

    async def set_schedule_paused(self, name: str, paused: bool, *, next_at: datetime | None = None) -> bool:
        return cast(bool, await self._writable.act(_SET_SCHEDULE_PAUSED, (name, paused, next_at)))

    async def schedules(self) -> list[ScheduleInfo]:
        return await self._store.read(schedules.list_all)

    async def due_schedules(self) -> DueSchedules:
        return await self._store.read(schedules.due)

    async def fire(self, firing: Firing) -> list[str] | None:
        return cast("list[str] | None", await self._writable.act(_FIRE, firing))

    async def run_schedule_now(self, name: str) -> str | None:
        return cast("str | None", await self._writable.act(_RUN_SCHEDULE_NOW, name))

    async def restore(self, ended: Sequence[tuple[Task, Result]]) -> set[str]:
        return cast(set[str], await self._writable.act(_RESTORE, ended, weight=len(ended)))

    async def stored_schedules(self) -> list[Schedule]:
        return await self._store.read(schedules.stored_schedules)

    async def list_tasks(self, query: TaskQuery) -> list[TaskInfo]:
        return await self._store.read(reads.list_tasks, query)

    async def attempts(self, task_id: str) -> list[Attempt]:
        return await self._store.read(reads.attempts, task_id)

    async def needs(self, task_id: str) -> list[str]:
        return await self._store.read(reads.needs, task_id)

    async def output(self, task_id: str, *, after: int = 0, limit: int = 1000) -> list[OutputChunk]:
        return await self._store.read(output.output, task_id, after, limit)

    async def output_tail(self, task_id: str, *, limit: int) -> list[OutputChunk]:
        return await self._store.read(output.output_tail, task_id, limit)

    async def stats(self) -> Stats:
        return await self._store.read(reads.stats)

    async def wait(self, keys: Collection[str], *, timeout: float) -> None:
        await self._store.wait(keys, timeout=timeout)
