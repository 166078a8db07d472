"""What the screen shows of a store: frozen, cleaned, and complete in itself."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple, NewType, Self

from sitq.core import TaskStatus
from sitq.sanitize import Clean

TaskId = NewType("TaskId", str)
"""An id as the store has it: for asking and acting, never for drawing."""

STATES: tuple[TaskStatus | None, ...] = (None, *TaskStatus)
"""The states that can be looked at, in the order of their tabs; None is all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRow:
    """A task as a line of the table.

    Attributes:
        label: the end of the id, which tells neighbours apart where the time in front does not.
        phase: the status named more finely, as `TaskInfo.phase` does.
        note: the first line of the error, or else the arguments.
        note_is_error: what `note` is.
    """

    id: TaskId
    label: Clean
    name: Clean
    queue: Clean
    status: TaskStatus
    phase: Clean
    attempt: int
    max_attempts: int
    enqueued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    note: Clean
    note_is_error: bool
    cancel_requested: bool

    def seconds_run(self, now: datetime) -> float | None:
        """Tell how long the last attempt ran, or has run so far; None before the first."""
        if self.started_at is None or self.status is TaskStatus.PENDING:
            return None
        return ((self.finished_at or now) - self.started_at).total_seconds()

    def as_deleted(self) -> Self:
        """Make the row of a task that is no longer in the store."""
        return replace(self, phase=Clean("deleted"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRow:
    """One run of a task.

    Attributes:
        cause: why it ended; "running" while it runs.
    """

    number: int
    cause: Clean
    worker: Clean
    started_at: datetime | None
    finished_at: datetime | None
    error: Clean


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDetail:
    """A task with all that is known of it.

    Attributes:
        facts: name and value of what is set, in reading order.
        traceback: of the last attempt that has one, as a block.
        traceback_of: number of that attempt.
        output: the end of what it has written, as a block.
    """

    row: TaskRow
    full_id: Clean
    due_at: datetime
    facts: tuple[tuple[str, Clean], ...]
    arguments: Clean
    attempts: tuple[AttemptRow, ...]
    traceback: Clean
    traceback_of: int
    output: Clean


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """A lane and what stands in it.

    Attributes:
        id: the name as the store has it, for acting.
        pending: waiting ones, the scheduled ones included.
        oldest_due_at: since when the longest-waiting task has been due; None when none is.
    """

    id: str
    name: Clean
    pending: int
    scheduled: int
    running: int
    success: int
    failed: int
    cancelled: int
    paused: bool
    oldest_due_at: datetime | None

    @property
    def depth(self) -> int:
        """Count the tasks that only wait for a worker."""
        return self.pending - self.scheduled


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRow:
    """What is enqueued by the clock.

    Attributes:
        id: the name as the store has it, for acting.
        times: when it fires, as it was written.
        next_at: the next occurrence; None when there will be none.
        last_at: the last occurrence for which it fired; None before the first.
    """

    id: str
    name: Clean
    times: Clean
    task: Clean
    queue: Clean
    paused: bool
    next_at: datetime | None
    last_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRow:
    """A worker as it last presented itself.

    Attributes:
        running: tasks that it runs, of `capacity` at once.
        seen_at: last heartbeat.
        alive: its lease holds.
    """

    id: str
    label: Clean
    queues: Clean
    python: Clean
    running: int
    capacity: int
    started_at: datetime
    seen_at: datetime | None
    alive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many tasks there are, where they stand, and who works on them.

    Attributes:
        tasks: by status.
        approximate: the store counts dearly, so these may be a little off.
    """

    tasks: tuple[tuple[TaskStatus, int], ...] = ()
    queues: tuple[QueueRow, ...] = ()
    workers: tuple[WorkerRow, ...] = ()
    approximate: bool = False

    def of(self, status: TaskStatus | None) -> int:
        """Count the tasks of a status; None counts all."""
        return sum(number for one, number in self.tasks if status in (None, one))

    @property
    def alive(self) -> int:
        return sum(worker.alive for worker in self.workers)


class Spread(NamedTuple):
    """The middle and the slow end of durations, in seconds."""

    p50: float
    p95: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """How fast tasks end, and how long they take.

    Attributes:
        ok, failed: tasks ended in a second, in spans of `SPAN` seconds, the oldest first.
        rate: tasks ended in a second, lately.
        failing: the part of the lately ended that failed, from 0 to 1.
        took: how long the last attempts ran; None when none has ended.
        waited: how long tasks were due before they began.
    """

    ok: tuple[float, ...] = ()
    failed: tuple[float, ...] = ()
    rate: float = 0.0
    failing: float = 0.0
    took: Spread | None = None
    waited: Spread | None = None


SPAN = 5
"""Seconds that one bar of the throughput stands for."""
BARS = 60
