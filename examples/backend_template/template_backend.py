"""A store of your own, to be filled in: every verb of the contract is here, and says so until it is written.

Copy this file, rename what is called Template, and run the contract suite against it until nothing fails.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sitq.backends.base import Backend
from sitq.backends.opening import Opening
from sitq.core import Claim, Outcome, Report, Result, Task, TaskStatus, WorkerInfo
from sitq.recurring import DueSchedules, Firing, Schedule, ScheduleInfo
from sitq.views import Attempt, OutputChunk, Stats, TaskInfo, TaskQuery


class TemplateStore:
    """What is open while a backend is connected: connections, and tasks of asyncio that listen. One event loop's."""

    @classmethod
    async def open(cls, place: str) -> "TemplateStore":
        # Connect here; make the schema if it is missing, migrate an older one, refuse a newer one.
        return cls()

    async def close(self) -> None:
        """Let what is under way end, then close the connections."""

    async def abandon(self, *, forked: bool) -> None:
        """Let go without waiting: the loop that opened this has ended, or it belongs to the parent process."""


class TemplateBackend(Backend):
    """Keeps tasks nowhere yet.

    Args:
        place: where the store is. What is given here must make sense on another event loop too, for `twin`.
    """

    def __init__(self, place: str = "template") -> None:
        self._place = place
        self._opening = Opening(place, self._open_store)

    def __repr__(self) -> str:
        return f"TemplateBackend({self._place!r})"

    async def _open_store(self) -> TemplateStore:
        return await TemplateStore.open(self._place)

    # Opening. This much is done: a second connect is harmless, a forked child and another event loop are refused.
    # Verbs use `self._opening.store`, or `.writable` where they change something.

    @property
    def connected(self) -> bool:
        return self._opening.usable

    async def connect(self) -> None:
        await self._opening.open()

    async def close(self) -> None:
        await self._opening.close()

    def twin(self) -> "TemplateBackend":
        return TemplateBackend(self._place)

    # First the way of one task: enqueue, heartbeat (which registers a worker), claim, finish, results, list_tasks.
    # Most tests of the suite begin with these.

    async def enqueue(self, tasks: Sequence[Task]) -> list[str]:
        raise _not_written("enqueue")

    async def heartbeat(self, worker: WorkerInfo, claims: Mapping[str, int], *, lease: float) -> set[str]:
        raise _not_written("heartbeat")

    async def claim(self, worker_id: str, queues: Sequence[str] | None, *, limit: int, lease: float) -> list[Claim]:
        raise _not_written("claim")

    async def finish(self, outcomes: Sequence[Outcome]) -> set[str]:
        raise _not_written("finish")

    async def results(self, ids: Collection[str]) -> dict[str, Result]:
        raise _not_written("results")

    async def list_tasks(self, query: TaskQuery) -> list[TaskInfo]:
        raise _not_written("list_tasks")

    async def tasks(self, ids: Collection[str]) -> dict[str, Task]:
        raise _not_written("tasks")

    async def wait(self, keys: Collection[str], *, timeout: float) -> None:
        raise _not_written("wait")

    # What people do.

    async def cancel(self, ids: Collection[str]) -> set[str]:
        raise _not_written("cancel")

    async def stop_requests(self, worker_id: str) -> set[str]:
        raise _not_written("stop_requests")

    async def requeue(self, ids: Collection[str]) -> set[str]:
        raise _not_written("requeue")

    async def run_now(self, ids: Collection[str]) -> set[str]:
        raise _not_written("run_now")

    async def delete(self, ids: Collection[str]) -> set[str]:
        raise _not_written("delete")

    async def purge(
        self, *, older_than: float | None = None, statuses: Collection[TaskStatus] | None = None, limit: int = 500
    ) -> int:
        raise _not_written("purge")

    async def set_paused(self, queue: str, paused: bool) -> None:
        raise _not_written("set_paused")

    # What people see.

    async def stats(self) -> Stats:
        raise _not_written("stats")

    async def attempts(self, task_id: str) -> list[Attempt]:
        raise _not_written("attempts")

    async def report(self, reports: Sequence[Report]) -> None:
        raise _not_written("report")

    async def output(self, task_id: str, *, after: int = 0, limit: int = 1000) -> list[OutputChunk]:
        raise _not_written("output")

    async def output_tail(self, task_id: str, *, limit: int) -> list[OutputChunk]:
        raise _not_written("output_tail")

    # Tasks that need others.

    async def inputs(self, task_id: str) -> dict[str, Result]:
        raise _not_written("inputs")

    async def needs(self, task_id: str) -> list[str]:
        raise _not_written("needs")

    # Schedules. `sitq.backends.schedules` turns their calls into JSON and back, and tells which are due.

    async def put_schedule(self, schedule: Schedule) -> ScheduleInfo:
        raise _not_written("put_schedule")

    async def remove_schedule(self, name: str) -> bool:
        raise _not_written("remove_schedule")

    async def set_schedule_paused(self, name: str, paused: bool, *, next_at: datetime | None = None) -> bool:
        raise _not_written("set_schedule_paused")

    async def schedules(self) -> list[ScheduleInfo]:
        raise _not_written("schedules")

    async def due_schedules(self) -> DueSchedules:
        raise _not_written("due_schedules")

    async def fire(self, firing: Firing) -> list[str] | None:
        raise _not_written("fire")

    async def run_schedule_now(self, name: str) -> str | None:
        raise _not_written("run_schedule_now")

    # A move from another store, by `sitq migrate`.

    async def restore(self, ended: Sequence[tuple[Task, Result]]) -> set[str]:
        raise _not_written("restore")

    async def stored_schedules(self) -> list[Schedule]:
        raise _not_written("stored_schedules")


def _not_written(verb: str) -> NotImplementedError:
    return NotImplementedError(
        f"{verb} is not written yet; what it promises stands in sitq.backends.base.Backend.{verb}"
    )
