"""The contract on a JetStream stream of a NATS server."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sitq.backends.base import Backend
from sitq.backends.nats import claims, listing, moving, output, owners, purging, reads, schedules, tasks
from sitq.backends.nats.address import parse
from sitq.backends.nats.candidates import Demand
from sitq.backends.nats.connection import Connection
from sitq.backends.nats.schema import open_stream
from sitq.backends.nats.store import OpenStore
from sitq.backends.nats.subjects import Subjects
from sitq.backends.opening import Opening
from sitq.core import Claim, Outcome, Report, Result, Task, TaskStatus, WorkerInfo
from sitq.exceptions import ValidationError
from sitq.recurring import DueSchedules, Firing, Schedule, ScheduleInfo
from sitq.views import Attempt, OutputChunk, Stats, TaskInfo, TaskQuery


class NATSBackend(Backend):
    """Keeps tasks in one JetStream stream of a NATS server of version 2.12 or newer, made on first use.

    Args:
        url: `nats://user:password@host:4222`, several servers of a cluster separated by commas, `tls://` for TLS.
            `?prefix=` names the store within the server, "sitq" unless given; `?replicas=3` has a new store kept by
            three servers of a cluster.
        create: make the store if it is missing; without it a missing one is refused.
        read_only: refuse the verbs that change the store.
        timeout: seconds until an answer of the server must have come.

    Raises:
        ConfigurationError: the URL cannot be right.
    """

    def __init__(self, url: str, *, create: bool = True, read_only: bool = False, timeout: float = 5.0) -> None:
        if timeout <= 0:
            raise ValidationError(f"timeout must be more than 0 seconds, got {timeout}")
        self._address = parse(url)
        self._url = url
        self._create = create and not read_only
        self._read_only = read_only
        self._timeout = timeout
        self._outputs = output.Outputs()
        self._opening = Opening(self._address.shown, self._open_store, read_only=read_only)

    def __repr__(self) -> str:
        return f"NATSBackend({self._address.shown!r})"

    @property
    def connected(self) -> bool:
        return self._opening.usable

    @property
    def remote(self) -> bool:
        return self._address.remote

    def twin(self) -> "NATSBackend":
        return NATSBackend(self._url, create=self._create, read_only=self._read_only, timeout=self._timeout)

    async def connect(self) -> None:
        await self._opening.open()

    async def close(self) -> None:
        await self._opening.close()

    async def _open_store(self) -> OpenStore:
        connection = Connection(self._address, timeout=self._timeout)
        await connection.open()
        try:
            await open_stream(connection, self._address, create=self._create)
            store = OpenStore(connection, Subjects(self._address.prefix))
            connection.link.on_again = store.on_again
            await store.tell_time()
        except BaseException:
            await connection.close()
            raise
        return store

    @property
    def _store(self) -> OpenStore:
        return self._opening.store

    @property
    def _writable(self) -> OpenStore:
        return self._opening.writable

    async def enqueue(self, tasks_: Sequence[Task]) -> list[str]:
        return await tasks.enqueue(self._writable, tasks_)

    async def results(self, ids: Collection[str]) -> dict[str, Result]:
        return await reads.results(self._store, ids)

    async def tasks(self, ids: Collection[str]) -> dict[str, Task]:
        return await reads.tasks(self._store, ids)

    async def claim(self, worker_id: str, queues: Sequence[str] | None, *, limit: int, lease: float) -> list[Claim]:
        return (await self.exchange((), worker_id, queues, limit=limit, lease=lease))[1]

    async def inputs(self, task_id: str) -> dict[str, Result]:
        return await reads.inputs(self._store, task_id)

    async def finish(self, outcomes: Sequence[Outcome]) -> set[str]:
        return await claims.finish(self._writable, outcomes)

    async def exchange(
        self, outcomes: Sequence[Outcome], worker_id: str, queues: Sequence[str] | None, *, limit: int, lease: float
    ) -> tuple[set[str], list[Claim]]:
        wanted = None if queues is None else frozenset(queues)
        return await claims.exchange(self._writable, outcomes, Demand(worker_id, wanted, limit))

    async def report(self, reports: Sequence[Report]) -> None:
        await self._outputs.report(self._writable, reports)

    async def heartbeat(self, worker: WorkerInfo, claims: Mapping[str, int], *, lease: float) -> set[str]:
        return await owners.heartbeat(self._writable, worker, claims, lease)

    async def stop_requests(self, worker_id: str) -> set[str]:
        await self._store.replica.load()
        return owners.stop_requests(self._store, worker_id)

    async def cancel(self, ids: Collection[str]) -> set[str]:
        return await tasks.cancel(self._writable, ids)

    async def requeue(self, ids: Collection[str]) -> set[str]:
        return await tasks.requeue(self._writable, ids)

    async def run_now(self, ids: Collection[str]) -> set[str]:
        return await tasks.run_now(self._writable, ids)

    async def delete(self, ids: Collection[str]) -> set[str]:
        return await tasks.delete(self._writable, ids)

    async def purge(
        self, *, older_than: float | None = None, statuses: Collection[TaskStatus] | None = None, limit: int = 500
    ) -> int:
        return await purging.purge(self._writable, older_than, statuses, limit)

    async def set_paused(self, queue: str, paused: bool) -> None:
        await tasks.set_paused(self._writable, queue, paused)

    async def put_schedule(self, schedule: Schedule) -> ScheduleInfo:
        return await schedules.put(self._writable, schedule)

    async def remove_schedule(self, name: str) -> bool:
        return await schedules.remove(self._writable, name)

    async def set_schedule_paused(self, name: str, paused: bool, *, next_at: datetime | None = None) -> bool:
        return await schedules.set_paused(self._writable, name, paused, next_at)

    async def schedules(self) -> list[ScheduleInfo]:
        return await schedules.list_all(self._store)

    async def due_schedules(self) -> DueSchedules:
        return await schedules.due(self._store)

    async def fire(self, firing: Firing) -> list[str] | None:
        return await schedules.fire(self._writable, firing)

    async def run_schedule_now(self, name: str) -> str | None:
        return await schedules.run_now(self._writable, name)

    async def restore(self, ended: Sequence[tuple[Task, Result]]) -> set[str]:
        return await moving.restore(self._writable, ended)

    async def stored_schedules(self) -> list[Schedule]:
        return await schedules.stored_schedules(self._store)

    async def list_tasks(self, query: TaskQuery) -> list[TaskInfo]:
        return await listing.list_tasks(self._store, query)

    async def attempts(self, task_id: str) -> list[Attempt]:
        return await reads.attempts(self._store, task_id)

    async def needs(self, task_id: str) -> list[str]:
        return await reads.needs(self._store, task_id)

    async def output(self, task_id: str, *, after: int = 0, limit: int = 1000) -> list[OutputChunk]:
        return await output.output(self._store, task_id, after, limit)

    async def output_tail(self, task_id: str, *, limit: int) -> list[OutputChunk]:
        return await output.output_tail(self._store, task_id, limit)

    async def stats(self) -> Stats:
        return await reads.stats(self._store)

    async def wait(self, keys: Collection[str], *, timeout: float) -> None:
        await self._store.replica.wait(keys, timeout=timeout)
