"""The contract on a Redis or Valkey server."""

from collections.abc import Awaitable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sitq.backends.base import Backend
from sitq.backends.opening import Opening
from sitq.backends.redis import moving, schedules, tasks
from sitq.backends.redis.address import parse
from sitq.backends.redis.bell import SCHEDULES, STOP
from sitq.backends.redis.listing import list_tasks
from sitq.backends.redis.sights import attempts_of, chunk_of, stats_of
from sitq.backends.redis.store import OpenStore
from sitq.backends.redis.workers import heartbeat
from sitq.core import Claim, Outcome, Report, Result, Task, TaskStatus, WorkerInfo
from sitq.exceptions import ValidationError
from sitq.recurring import DueSchedules, Firing, Schedule, ScheduleInfo
from sitq.views import Attempt, OutputChunk, Stats, TaskInfo, TaskQuery

T = TypeVar("T")


class RedisBackend(Backend):
    """Keeps tasks on a Redis (7 or newer) or Valkey server, which may be a node of a cluster.

    Args:
        url: `redis://user:password@host:6379/0`, `rediss://…` with TLS, `valkey://…`, `valkeys://…` or
            `unix:///path?db=0`; its query may name the prefix (`?prefix=jobs`) and the driver's options.
        prefix: what the store's keys begin with, "sitq" unless the URL names another; many stores share a server.
        create: make the store if it is missing; without it a missing one is refused.
        read_only: refuse the verbs that change tasks.
        timeout: seconds to wait for a connection, and for an answer.

    Raises:
        ConfigurationError: the URL cannot be right.
        ValidationError: another argument cannot be right.
    """

    def __init__(
        self,
        url: str = "redis://localhost:6379",
        *,
        prefix: str | None = None,
        create: bool = True,
        read_only: bool = False,
        timeout: float = 10.0,
    ) -> None:
        if timeout <= 0:
            raise ValidationError(f"timeout must be more than 0 seconds, got {timeout}")
        self._address = parse(url, prefix)
        self._options: dict[str, Any] = {
            "prefix": self._address.prefix, "create": create, "read_only": read_only, "timeout": timeout,
        }  # fmt: skip
        self._opening = Opening(self._address.shown, self._open_store, read_only=read_only)

    def __repr__(self) -> str:
        return f"RedisBackend({self._address.shown!r}, prefix={self._address.prefix!r})"

    @property
    def connected(self) -> bool:
        return self._opening.usable

    @property
    def remote(self) -> bool:
        return self._address.remote

    def twin(self) -> "RedisBackend":
        return RedisBackend(self._address.url, **self._options)

    async def connect(self) -> None:
        await self._opening.open()

    async def close(self) -> None:
        await self._opening.close()

    async def _open_store(self) -> OpenStore:
        store = OpenStore(self._address, timeout=self._options["timeout"])
        await store.open(create=self._options["create"] and not self._options["read_only"])
        return store

    @property
    def _store(self) -> OpenStore:
        return self._opening.store

    @property
    def _writable(self) -> OpenStore:
        return self._opening.writable

    async def enqueue(self, tasks_: Sequence[Task]) -> list[str]:
        return await self._writable.enqueuing.do(tasks_, weight=len(tasks_))

    async def results(self, ids: Collection[str]) -> dict[str, Result]:
        return await tasks.results(self._store.connection, ids)

    async def tasks(self, ids: Collection[str]) -> dict[str, Task]:
        return await tasks.tasks(self._store.connection, ids)

    async def claim(self, worker_id: str, queues: Sequence[str] | None, *, limit: int, lease: float) -> list[Claim]:
        return (await self._writable.desk.exchange((), worker_id, queues, limit=limit))[1]

    async def inputs(self, task_id: str) -> dict[str, Result]:
        return await tasks.inputs(self._store.connection, task_id)

    async def finish(self, outcomes: Sequence[Outcome]) -> set[str]:
        return await self._writable.finishing.do(outcomes, weight=len(outcomes))

    async def exchange(
        self, outcomes: Sequence[Outcome], worker_id: str, queues: Sequence[str] | None, *, limit: int, lease: float
    ) -> tuple[set[str], list[Claim]]:
        return await self._writable.desk.turn(outcomes, worker_id, queues, limit=limit)

    async def report(self, reports: Sequence[Report]) -> None:
        await self._writable.reporting.do(reports, weight=len(reports))

    async def heartbeat(self, worker: WorkerInfo, claims: Mapping[str, int], *, lease: float) -> set[str]:
        return await heartbeat(self._writable.connection, worker, claims, lease)

    async def stop_requests(self, worker_id: str) -> set[str]:
        return await self._store.stop_requests.of(worker_id)

    async def cancel(self, ids: Collection[str]) -> set[str]:
        reached = await tasks.reach(self._writable.connection, "cancel", ids)
        self._store.bell.note(STOP)
        return reached

    async def requeue(self, ids: Collection[str]) -> set[str]:
        return await tasks.reach(self._writable.connection, "requeue", ids)

    async def run_now(self, ids: Collection[str]) -> set[str]:
        return await tasks.reach(self._writable.connection, "run_now", ids)

    async def delete(self, ids: Collection[str]) -> set[str]:
        return await tasks.reach(self._writable.connection, "delete", ids)

    async def purge(
        self, *, older_than: float | None = None, statuses: Collection[TaskStatus] | None = None, limit: int = 500
    ) -> int:
        return await tasks.purge(self._writable.connection, older_than, statuses, limit)

    async def set_paused(self, queue: str, paused: bool) -> None:
        await self._writable.connection.run("set_paused", queue, int(paused))

    async def put_schedule(self, schedule: Schedule) -> ScheduleInfo:
        return await self._replanned(schedules.put(self._writable.connection, schedule))

    async def remove_schedule(self, name: str) -> bool:
        return await self._replanned(schedules.remove(self._writable.connection, name))

    async def set_schedule_paused(self, name: str, paused: bool, *, next_at: datetime | None = None) -> bool:
        return await self._replanned(schedules.set_paused(self._writable.connection, name, paused, next_at))

    async def schedules(self) -> list[ScheduleInfo]:
        return await schedules.list_all(self._store.connection)

    async def due_schedules(self) -> DueSchedules:
        return await self._store.calendar.due()

    async def fire(self, firing: Firing) -> list[str] | None:
        return await self._replanned(schedules.fire(self._writable.connection, firing))

    async def run_schedule_now(self, name: str) -> str | None:
        return await schedules.run_now(self._writable.connection, name)

    async def restore(self, ended: Sequence[tuple[Task, Result]]) -> set[str]:
        return await moving.restore(self._writable.connection, ended)

    async def stored_schedules(self) -> list[Schedule]:
        return await moving.stored_schedules(self._store.connection)

    async def list_tasks(self, query: TaskQuery) -> list[TaskInfo]:
        return await list_tasks(self._store.connection, query)

    async def attempts(self, task_id: str) -> list[Attempt]:
        return attempts_of(task_id, await self._store.connection.run("attempts", task_id))

    async def needs(self, task_id: str) -> list[str]:
        return await tasks.needs(self._store.connection, task_id)

    async def output(self, task_id: str, *, after: int = 0, limit: int = 1000) -> list[OutputChunk]:
        words = ("XRANGE", self._output_key(task_id), f"({after}-0", "+", "COUNT", limit)
        return list(map(chunk_of, await self._store.connection.command(*words)))

    async def output_tail(self, task_id: str, *, limit: int) -> list[OutputChunk]:
        words = ("XREVRANGE", self._output_key(task_id), "+", "-", "COUNT", limit)
        return list(map(chunk_of, await self._store.connection.command(*words)))[::-1]

    async def stats(self) -> Stats:
        return stats_of(await self._store.connection.run("stats"))

    async def wait(self, keys: Collection[str], *, timeout: float) -> None:
        await self._store.wait(keys, timeout=timeout)

    async def _replanned(self, change: Awaitable[T]) -> T:
        """Make a change of schedules, and forget what was known of them."""
        try:
            return await change
        finally:
            self._store.bell.note(SCHEDULES)

    def _output_key(self, task_id: str) -> str:
        return f"{self._address.base}o:{task_id}"
