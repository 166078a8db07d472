"""The contract between the doors and a store: verbs in batches, no state, and nothing about Python objects.

Acting verbs never wait; `wait` never acts. Durations cross this border in seconds, instants do not (but eta, and the
occurrences of schedules): the store's own clock decides what is due.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Self

from sitq.core import Claim, Outcome, Report, Result, Task, TaskStatus, WorkerInfo
from sitq.exceptions import ConfigurationError
from sitq.recurring import DueSchedules, Firing, Schedule, ScheduleInfo
from sitq.views import Attempt, OutputChunk, Stats, TaskInfo, TaskQuery


class Backend(ABC):
    """Keeps tasks as bytes. Every store passes the same contract suite.

    The attempt number of a task never goes down: (id, attempt) together with "it is running" is the fence that
    refuses a late outcome.

    An open backend belongs to the event loop that opened it, in one process. Anywhere else its verbs raise a
    `BackendError`, and so they do before `connect` and after `close`.
    """

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    @property
    @abstractmethod
    def connected(self) -> bool:
        """Tell whether the store is open and usable here."""

    @abstractmethod
    async def connect(self) -> None:
        """Open the store, and make or migrate its schema. Calling it again is harmless.

        Raises:
            ConnectionError: the store cannot be reached or opened.
            BackendError: its schema is newer than this version knows, or it is not a store of sitq.
        """

    @abstractmethod
    async def close(self) -> None:
        """Let go of the store. Closing twice is harmless."""

    @abstractmethod
    def twin(self) -> "Backend":
        """Make an unopened backend on the same store, for use on another event loop."""

    @property
    def remote(self) -> bool:
        """Tell whether the store is reached through a network, so that others may write into it."""
        return False

    # The producer's verbs

    @abstractmethod
    async def enqueue(self, tasks: Sequence[Task], /) -> list[str]:
        """Store tasks, all or none, and tell the id that each has in the store.

        - An id that exists is left as it is. Who sends it again sends it to the same lane.
        - A task that needs others which have not ended is blocked until they have. When one of them does not succeed,
          its `on_failure` decides, at once where that is so already.
        - When an unfinished task holds the key, its id is the answer ("return"), or it makes place if it has not
          started ("replace").

        Raises:
            TaskQueueError: a key is held and the task says "raise", or says "replace" and the holder is running; or
                there is no task of an id that is needed.
            ResourceExhaustionError: the disk is full.
        """

    async def enqueue_on(self, connection: object, tasks: Sequence[Task], /) -> list[str]:
        """Store tasks as `enqueue` does, inside the transaction that is open on the caller's own connection.

        They exist exactly if that commits; what waits for them wakes no sooner.

        Raises:
            ConfigurationError: the store has no transactions to share.
            ValidationError: the connection is of another kind, or leads to another store.
        """
        raise ConfigurationError(
            f"{self!r} cannot store tasks in a transaction of yours; SQLite and PostgreSQL can, leave connection= out"
        )

    @abstractmethod
    async def results(self, ids: Collection[str]) -> dict[str, Result]:
        """Read what tasks have come to, in one trip; unknown ids are left out, values only where final."""

    @abstractmethod
    async def tasks(self, ids: Collection[str]) -> dict[str, Task]:
        """Read tasks as they were enqueued, payload included, in one trip; unknown ids are left out.

        What served only once is not kept: eta and delay, what a conflict of keys meant, and the expiry of a task that
        was requeued.
        """

    # The worker's verbs

    @abstractmethod
    async def claim(self, worker_id: str, queues: Sequence[str] | None, *, limit: int, lease: float) -> list[Claim]:
        """Hand out up to `limit` tasks, in order of priority, due moment and age.

        Where several workers claim, a store may let each prefer a part of those of equal priority.

        - Claimable is what is pending, due and not paused, or running with its lease over or its owner surely dead;
          the latter is counted in `crashes`.
        - The attempt is raised, and the task is this worker's until `lease` seconds from its last heartbeat.
        - A due task that was cancelled, or whose time to start has passed, is made cancelled instead.
        - A task that carries code of another Python version is left for a worker that has it.
        - A worker that never sent a heartbeat, or was declared dead, gets nothing.

        Args:
            queues: lanes to take from; None means all.
        """

    @abstractmethod
    async def inputs(self, task_id: str) -> dict[str, Result]:
        """Tell what the tasks came to whose values a task takes; those that were deleted are left out."""

    @abstractmethod
    async def finish(self, outcomes: Sequence[Outcome]) -> set[str]:
        """Write outcomes, and tell the ids that were accepted.

        - An outcome is refused, without an error, unless the task is running this very attempt.
        - PENDING puts the task back, due after `delay`; the attempt stays in its history, unless it is given back
          without having begun (`duration` 0).
        - In the same transaction those that waited for the ended tasks are let go, or meet their `on_failure`.
        """

    async def exchange(
        self, outcomes: Sequence[Outcome], worker_id: str, queues: Sequence[str] | None, *, limit: int, lease: float
    ) -> tuple[set[str], list[Claim]]:
        """Finish and claim; one trip where the store allows it."""
        accepted = await self.finish(outcomes) if outcomes else set()
        claims = await self.claim(worker_id, queues, limit=limit, lease=lease) if limit > 0 else []
        return accepted, claims

    @abstractmethod
    async def report(self, reports: Sequence[Report]) -> None:
        """Keep what running attempts tell of themselves, in one trip.

        - A report is ignored, without an error, unless the task is running this very attempt.
        - Of an attempt's output the newest bytes are kept, as many as the report says; earlier attempts keep theirs.
        """

    @abstractmethod
    async def heartbeat(self, worker: WorkerInfo, claims: Mapping[str, int], *, lease: float) -> set[str]:
        """Say that a worker lives, renew all its leases, and tell which of its claims must stop.

        - The answer holds the ids whose claim is lost and those that somebody cancelled.
        - A worker that was declared dead is registered anew; what it held is lost.
        - `lease=0` is the goodbye: what it still holds is given back unspent.

        Args:
            claims: attempt by task id, all that the worker believes to be running.
            lease: seconds until the leases end if no other heartbeat comes.
        """

    @abstractmethod
    async def stop_requests(self, worker_id: str) -> set[str]:
        """Tell which running tasks of a worker somebody cancelled. Reads only; `heartbeat` says the same, later."""

    # The verbs of people, which name the state they expect: what moved on in between is skipped

    @abstractmethod
    async def cancel(self, ids: Collection[str]) -> set[str]:
        """Make pending tasks cancelled, ask running ones to stop, and tell the ids that were reached.

        All of them are cancelled before those that waited for one of them meet their `on_failure`.
        """

    @abstractmethod
    async def requeue(self, ids: Collection[str]) -> set[str]:
        """Make failed and cancelled tasks due now, with fresh budgets, and tell the ids that were reached.

        One that needs unfinished tasks waits for them again. Who was let go by one of these, and has not started, may
        wait for it again too.
        """

    @abstractmethod
    async def run_now(self, ids: Collection[str]) -> set[str]:
        """Make pending tasks due now whose moment is ahead, and tell the ids that were reached.

        Their budgets and their expiry stay. What waits for other tasks, or is due already, is left alone.
        """

    @abstractmethod
    async def delete(self, ids: Collection[str]) -> set[str]:
        """Remove tasks that are not running, with all that is kept about them, and tell the ids that were reached.

        Those that waited for one of them meet their `on_failure`.
        """

    @abstractmethod
    async def purge(
        self,
        *,
        older_than: float | None = None,
        statuses: Collection[TaskStatus] | None = None,
        limit: int = 500,
    ) -> int:
        """Remove up to `limit` final tasks whose retention is over, and tell how many.

        Those that unfinished tasks need stay.

        Args:
            older_than: seconds since they ended; takes the place of each task's own retention.
            statuses: final statuses to remove; None means all of them.
        """

    @abstractmethod
    async def set_paused(self, queue: str, paused: bool) -> None:
        """Stop or resume handing out a lane's tasks, for all workers."""

    # The verbs of schedules. A store keeps the call and its moments; what follows on a moment is computed outside.

    @abstractmethod
    async def put_schedule(self, schedule: Schedule) -> ScheduleInfo:
        """Store a schedule, or replace the one of its name, and tell what the store holds now.

        - One that recurs as the replaced one did (cron, every and timezone) goes on: `next_at`, `last_at` and
          `created_at` stay.
        - A paused one stays paused.
        """

    @abstractmethod
    async def remove_schedule(self, name: str) -> bool:
        """Remove a schedule, and tell whether there was one. The tasks that it stored stay."""

    @abstractmethod
    async def set_schedule_paused(self, name: str, paused: bool, *, next_at: datetime | None = None) -> bool:
        """Stop or resume the firing of a schedule, and tell whether there is one.

        Args:
            next_at: the occurrence with which a paused one goes on.
        """

    @abstractmethod
    async def schedules(self) -> list[ScheduleInfo]:
        """List all schedules by name, without their bytes."""

    @abstractmethod
    async def due_schedules(self) -> DueSchedules:
        """List what is due and not paused, in the order of the moments. Reads only.

        - One whose moments lie too far ahead counts as due, since the clock was set back: more than an interval and a
          second, or for cron a `last_at` of more than an hour.
        """

    @abstractmethod
    async def fire(self, firing: Firing) -> list[str] | None:
        """Store one task for each occurrence and move the schedule on, in one transaction.

        - Nothing is done unless the schedule's `next_at` is still `due_at` and it is not paused.
        - A task is due now, and carries the schedule's name and its occurrence.
        - An occurrence whose key is held is skipped, whatever the task's policy, unless "replace" can make place.

        Returns:
            The ids of the new tasks; None when the schedule has moved on.

        Raises:
            ConfigurationError: what the schedule holds was stored by another version; it does not move on.
        """

    @abstractmethod
    async def run_schedule_now(self, name: str) -> str | None:
        """Store one task of a schedule, for this moment, and leave its occurrences as they are.

        Returns:
            The id that the task has in the store; None when there is no such schedule.

        Raises:
            TaskQueueError: its key is held, as with `enqueue`.
        """

    # The verbs of a move from one store to another

    @abstractmethod
    async def restore(self, ended: Sequence[tuple[Task, Result]]) -> set[str]:
        """Store tasks that have ended in another store, with what they came to, and tell the ids that are new here.

        - An id that exists is left as it is.
        - What a task needed and is not here is not remembered; nor are its earlier attempts and its output.
        """

    @abstractmethod
    async def stored_schedules(self) -> list[Schedule]:
        """Read all schedules by name as they were put, bytes included, each with its next occurrence."""

    # What a monitor reads

    @abstractmethod
    async def list_tasks(self, query: TaskQuery) -> list[TaskInfo]:
        """List tasks without their bytes, newest first, one page at a time."""

    @abstractmethod
    async def attempts(self, task_id: str) -> list[Attempt]:
        """List the attempts of a task, the first one first, the running one included."""

    @abstractmethod
    async def needs(self, task_id: str) -> list[str]:
        """List the ids of the tasks that a task needs or needed, the oldest first."""

    @abstractmethod
    async def output(self, task_id: str, *, after: int = 0, limit: int = 1000) -> list[OutputChunk]:
        """List what the attempts of a task wrote, in order, one page at a time.

        Args:
            after: list on after the chunk with this `seq`.
        """

    @abstractmethod
    async def output_tail(self, task_id: str, *, limit: int) -> list[OutputChunk]:
        """List the newest `limit` chunks of what the attempts of a task wrote, in order."""

    @abstractmethod
    async def stats(self) -> Stats:
        """Count tasks by lane and status, and list the workers seen."""

    # The verb that waits

    @abstractmethod
    async def wait(self, keys: Collection[str], *, timeout: float) -> None:
        """Return when something may have changed for these lanes or task ids, or when `timeout` seconds are over.

        A hint: it may come for nothing, and the caller looks again. It also returns when a task of these lanes
        becomes due. May be cancelled at any time.

        Args:
            keys: names of lanes and ids of tasks; empty means any change at all.
        """
