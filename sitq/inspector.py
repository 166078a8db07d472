"""The window beside the doors: looks at tasks and acts on ids, and never touches what a task carries."""

from collections.abc import AsyncGenerator, Collection
from os import PathLike
from typing import Self

from sitq.backends import backend_from_url
from sitq.backends.base import Backend
from sitq.copying import store_again
from sitq.core import FINAL, TaskStatus
from sitq.exceptions import TaskQueueError, ValidationError
from sitq.purging import purge_all
from sitq.recurring import ScheduleInfo
from sitq.schedules import next_occurrence
from sitq.validation import aware, not_negative, task_ids
from sitq.views import Attempt, OutputChunk, Stats, TaskInfo, TaskQuery

_LOOK = 1.0  # seconds between two looks at what nobody announces


class Inspector:
    """Lists, counts, cancels, requeues and deletes tasks by id. It holds no serializer and runs nothing.

    Args:
        backend: a backend, which its owner opens and closes, or a path or URL, which is opened here without
            creating or changing the store's schema.
        read_only: open a path or URL for reading only, so that nothing can be changed through it.
    """

    def __init__(self, backend: Backend | str | PathLike[str], *, read_only: bool = False) -> None:
        self._owns_backend = not isinstance(backend, Backend)
        self.backend = (
            backend if isinstance(backend, Backend) else backend_from_url(backend, create=False, read_only=read_only)
        )

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def connect(self) -> None:
        await self.backend.connect()

    async def close(self) -> None:
        """Close the backend if it was opened here."""
        if self._owns_backend:
            await self.backend.close()

    async def list_tasks(self, query: TaskQuery | None = None) -> list[TaskInfo]:
        """List tasks, one page at a time, newest first unless the query says otherwise.

        Raises:
            ValidationError: a moment of the query is naive.
        """
        query = query or TaskQuery()
        for name in ("since", "until"):
            if (moment := getattr(query, name)) is not None:
                aware(name, moment)
        return await self.backend.list_tasks(query)

    async def get_task(self, task_id: str) -> TaskInfo | None:
        """Look one task up; None when the id is unknown."""
        found = await self.backend.list_tasks(TaskQuery(ids=(task_id,)))
        return found[0] if found else None

    async def attempts(self, task_id: str) -> list[Attempt]:
        """List the runs of a task, the first one first, each with its error and traceback."""
        return await self.backend.attempts(task_id)

    async def needs(self, task_id: str) -> list[str]:
        """List the ids of the tasks that a task needs or needed, the oldest first."""
        return await self.backend.needs(task_id)

    async def output(self, task_id: str, *, after: int = 0) -> list[OutputChunk]:
        """List what a task wrote, in order, a thousand chunks at a time.

        Args:
            after: list on after the chunk with this `seq`.
        """
        return await self.backend.output(task_id, after=after)

    async def output_tail(self, task_id: str, *, limit: int = 100) -> list[OutputChunk]:
        """List the newest chunks of what a task wrote, in order."""
        return await self.backend.output_tail(task_id, limit=limit)

    async def follow_output(self, task_id: str, *, after: int = 0) -> AsyncGenerator[OutputChunk, None]:
        """Yield what a task writes as it comes, until the task has ended or is gone."""
        while True:
            info = await self.get_task(task_id)
            chunks = await self.output(task_id, after=after)
            for chunk in chunks:
                yield chunk
                after = chunk.seq
            if chunks:
                continue
            if info is None or info.status.is_final:
                return
            await self.backend.wait((task_id,), timeout=_LOOK)

    async def stats(self) -> Stats:
        """Count tasks by lane and status, and list the workers seen."""
        return await self.backend.stats()

    async def cancel(self, ids: str | Collection[str]) -> set[str]:
        """Make pending tasks cancelled and ask running ones to stop; returns the ids that were reached."""
        return await self.backend.cancel(task_ids("ids", ids))

    async def requeue(self, ids: str | Collection[str]) -> set[str]:
        """Make failed and cancelled tasks due again; returns the ids that were reached."""
        return await self.backend.requeue(task_ids("ids", ids))

    async def run_now(self, ids: str | Collection[str]) -> set[str]:
        """Make scheduled and retrying tasks due now; returns the ids that were reached."""
        return await self.backend.run_now(task_ids("ids", ids))

    async def rerun(self, ids: str | Collection[str]) -> dict[str, str]:
        """Store tasks again as they were stored, under new ids and due at once; unknown ids are left out.

        Returns:
            The id of the new task by that of the old one.
        """
        wanted = task_ids("ids", ids)
        stored = await self.backend.tasks(wanted)
        found = [stored[task_id] for task_id in wanted if task_id in stored]
        copies = await store_again(self.backend, found)
        return {task.id: copy.id for task, copy in zip(found, copies, strict=True)}

    async def delete(self, ids: str | Collection[str]) -> set[str]:
        """Remove tasks that are not running; returns the ids that were reached."""
        return await self.backend.delete(task_ids("ids", ids))

    async def purge(self, *, older_than: float | None = None, statuses: Collection[TaskStatus] | None = None) -> int:
        """Remove all final tasks whose retention is over, in short slices with rests, and return how many.

        Args:
            older_than: seconds since they ended; takes the place of each task's own retention.
            statuses: final statuses to remove; None means all of them.

        Raises:
            ValidationError: `older_than` is negative or a status is not final.
        """
        if older_than is not None:
            not_negative("older_than", older_than)
        if unfinished := [status for status in statuses or () if status not in FINAL]:
            raise ValidationError(f"only final statuses can be purged, got {unfinished[0]}")
        return await purge_all(self.backend, older_than=older_than, statuses=statuses)

    async def pause(self, queue: str) -> None:
        """Stop handing out a lane's tasks; what runs goes on."""
        await self.backend.set_paused(queue, True)

    async def resume(self, queue: str) -> None:
        """Hand out a lane's tasks again."""
        await self.backend.set_paused(queue, False)

    async def schedules(self) -> list[ScheduleInfo]:
        """List all schedules by name."""
        return await self.backend.schedules()

    async def unschedule(self, name: str) -> bool:
        """Remove a schedule; False when there is none of that name. What it has stored stays."""
        return await self.backend.remove_schedule(name)

    async def pause_schedule(self, name: str) -> bool:
        """Let a schedule fire no more until it is resumed; False when there is none of that name."""
        return await self.backend.set_schedule_paused(name, True)

    async def resume_schedule(self, name: str) -> bool:
        """Let a schedule go on with its next occurrence; False when there is none of that name.

        What came while it was paused is not caught up.
        """
        now = (await self.backend.due_schedules()).now
        for schedule in await self.backend.schedules():
            if schedule.name == name:
                return await self.backend.set_schedule_paused(name, False, next_at=next_occurrence(schedule, now))
        return False

    async def run_schedule_now(self, name: str) -> str:
        """Store a task of a schedule at once, beside its occurrences, and return the task's id.

        Raises:
            TaskQueueError: there is no schedule of that name, or its key is held.
        """
        task_id = await self.backend.run_schedule_now(name)
        if task_id is None:
            known = ", ".join(schedule.name for schedule in await self.backend.schedules()) or "none"
            raise TaskQueueError(f"there is no schedule {name!r}; known are {known:.200}")
        return task_id

    async def wait(self, *, timeout: float) -> None:
        """Return when something may have changed, or after `timeout` seconds."""
        await self.backend.wait((), timeout=timeout)
