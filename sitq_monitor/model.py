"""What crosses the border between feed and screen: frozen, cleaned, and complete in itself."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import NewType, Self

from sitq.core import TaskStatus
from sitq.sanitize import Clean

TaskId = NewType("TaskId", str)
"""An id as the store has it: for asking and acting, never for drawing."""

STATES: tuple[TaskStatus | None, ...] = (None, *TaskStatus)
"""The states that can be looked at, in the order of their tabs; None is all of them."""

PAGE = 100
"""Rows in one page at least; a high screen takes more."""


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
    """

    row: TaskRow
    full_id: Clean
    due_at: datetime
    facts: tuple[tuple[str, Clean], ...]
    arguments: Clean
    attempts: tuple[AttemptRow, ...]
    traceback: Clean
    traceback_of: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many tasks there are, and who works on them.

    Attributes:
        tasks: by status.
        workers: alive ones.
        approximate: the store counts dearly, so these may be a little off.
    """

    tasks: tuple[tuple[TaskStatus, int], ...] = ()
    workers: int = 0
    approximate: bool = False

    def of(self, status: TaskStatus | None) -> int:
        """Count the tasks of a status; None counts all."""
        return sum(number for one, number in self.tasks if status in (None, one))


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What the screen asks for.

    Attributes:
        status: only tasks of this; None means all.
        limit: rows in one page.
        held: ids on a screen that holds still, to be read anew in place.
        before: the last row that is loaded, when the page after it is wanted.
        task_id: the task whose detail is shown.
        live: also read what changes by itself; without it only what was asked for.
    """

    status: TaskStatus | None = None
    limit: int = PAGE
    held: tuple[TaskId, ...] = ()
    before: TaskId | None = None
    task_id: TaskId | None = None
    live: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The whole answer to a view, as of one moment.

    Attributes:
        counts: None when the view is not live.
        head: the newest page.
        held: those of the view's held rows that still exist.
        tail: the page after `view.before`; None when none was asked for.
        trouble: what the store complained of, on one line; what it had said before still stands.
    """

    view: View
    read_at: datetime
    counts: Counts | None = None
    head: tuple[TaskRow, ...] = ()
    held: tuple[TaskRow, ...] = ()
    tail: tuple[TaskRow, ...] | None = None
    detail: TaskDetail | None = None
    trouble: Clean | None = None

    def says_the_same_as(self, other: Self) -> bool:
        """Tell whether the two differ in nothing but their moment."""
        return replace(self, read_at=other.read_at) == other


class Action(StrEnum):
    """What a person can do to tasks."""

    REQUEUE = "requeue"
    CANCEL = "cancel"

    def reaches(self, row: TaskRow) -> bool:
        """Tell whether the store would do it to a task in this state. The store itself decides in the end."""
        if row.phase == "deleted":
            return False
        return row.status in _REACHED[self]


_REACHED = {
    Action.REQUEUE: {TaskStatus.FAILED, TaskStatus.CANCELLED},
    Action.CANCEL: {TaskStatus.PENDING, TaskStatus.RUNNING},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an action came to.

    Attributes:
        asked: tasks it was asked for.
        reached: tasks it was done to; the others had moved on.
        trouble: why the store did nothing at all.
    """

    action: Action
    asked: int
    reached: int
    trouble: Clean | None = None
