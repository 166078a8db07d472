"""The records that people see: tasks, attempts, output, counts, and what they may ask for."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple

from sitq.core import Cause, Progress, TaskStatus, WorkerInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskInfo:
    """A task as a monitor sees it: everything but its bytes.

    Attributes:
        due_at: when the task may be claimed next, or could have been.
        cancel_requested: somebody asked a running task to stop.
        stalled: it is running, but its worker's lease is over.
        waits_for: what a pending task needs before it can be claimed ("a worker on Python 3.12"); None when nothing.
        progress: what the last attempt told of its progress; None when nothing.
        schedule: name of the schedule that stored it; None when it was enqueued.
        scheduled_at: the occurrence that it was stored for.
    """

    id: str
    name: str
    queue: str
    status: TaskStatus
    priority: int
    attempt: int
    max_attempts: int
    failures: int
    crashes: int
    enqueued_at: datetime
    due_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    expires_at: datetime | None = None
    timeout: float | None = None
    key: str | None = None
    worker: str | None = None
    executor: str | None = None
    cancel_requested: bool = False
    stalled: bool = False
    waits_for: str | None = None
    arguments: str | None = None
    error: str | None = None
    tags: tuple[str, ...] = ()
    meta: Mapping[str, Any] | None = None
    progress: Progress | None = None
    schedule: str | None = None
    scheduled_at: datetime | None = None

    def phase(self, now: datetime) -> str:
        """Name the status more finely, as it is shown: scheduled, retrying, blocked or stalled where that holds."""
        if self.status is TaskStatus.RUNNING:
            return "stalled" if self.stalled else "running"
        if self.status is not TaskStatus.PENDING:
            return self.status.value
        if self.waits_for is not None:
            return "blocked"
        if self.failures or self.crashes:
            return "retrying"
        return "scheduled" if self.due_at > now else "pending"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One run of a task, as it is remembered.

    Attributes:
        cause: why it ended; None while it runs.
    """

    task_id: str
    attempt: int
    worker: str | None
    started_at: datetime | None
    finished_at: datetime | None = None
    cause: Cause | None = None
    error: str | None = None
    traceback: str | None = None


class Order(StrEnum):
    """In which order tasks are listed: the newest first, the oldest first, or those that have ended, the last first."""

    NEWEST = "newest"
    OLDEST = "oldest"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskQuery:
    """Which tasks to list. An empty condition matches everything.

    Attributes:
        ids: only these.
        statuses: only these.
        queue: only this lane.
        name: only this name; `*` stands for any text.
        schedule: only those that the schedule of this name stored.
        tag: only those that have this tag.
        except_queues: none of these lanes.
        except_names: none of these names; `*` stands for any text.
        text: only those whose id, name, arguments, error or key holds this, whatever the case of its letters.
        since, until: only those enqueued from, or up to, this timezone-aware moment.
        order: which come first; `Order.ENDED` lists final tasks only.
        before: list on after the task with this id, which was the last of the page before.
        limit: tasks in one page.
    """

    ids: tuple[str, ...] = ()
    statuses: tuple[TaskStatus, ...] = ()
    queue: str | None = None
    name: str | None = None
    schedule: str | None = None
    tag: str | None = None
    except_queues: tuple[str, ...] = ()
    except_names: tuple[str, ...] = ()
    text: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    order: Order = Order.NEWEST
    before: str | None = None
    limit: int = 100

    def takes_name(self, name: str) -> bool:
        """Tell whether a name is one of those that are asked for; for stores that cannot compare patterns."""
        if self.name is not None and not _pattern(self.name).fullmatch(name):
            return False
        return not any(_pattern(pattern).fullmatch(name) for pattern in self.except_names)


@cache
def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, name.split("*"))), re.DOTALL)


class OutputChunk(NamedTuple):
    """A piece of what a task wrote.

    Attributes:
        seq: place in the store's order of output; grows.
        stream: "stdout" or "stderr".
        written_at: when the store got it.
    """

    seq: int
    attempt: int
    stream: str
    written_at: datetime
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStats:
    """Counts of one lane.

    Attributes:
        scheduled: pending with an eta or a retry ahead; the other counts are of the statuses they are named for,
            `pending` includes scheduled and blocked ones.
        oldest_due_at: since when the longest-waiting due task has been due; None when none is.
    """

    queue: str
    pending: int = 0
    scheduled: int = 0
    running: int = 0
    success: int = 0
    failed: int = 0
    cancelled: int = 0
    paused: bool = False
    oldest_due_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Counts by lane and status, and the workers seen.

    Attributes:
        approximate: the store counts dearly, so these may be a little off.
    """

    queues: tuple[QueueStats, ...] = ()
    workers: tuple[WorkerInfo, ...] = ()
    approximate: bool = False

    def count(self, status: TaskStatus) -> int:
        """Add one status up over all lanes."""
        return sum(getattr(queue, status.value) for queue in self.queues)
