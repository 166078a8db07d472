"""The records that travel between queue, worker, store and monitor: frozen data that does nothing.

Those made for every task are named tuples: as frozen dataclasses they cost 2 µs each instead of 0.8, three for a task.
"""

import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

DEFAULT_QUEUE = "default"
LOOP_EXECUTOR = "loop"  # of coroutine functions: they run on the worker's event loop


class TaskStatus(StrEnum):
    """What a task has come to, as it is stored."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self in FINAL


FINAL = frozenset({TaskStatus.SUCCESS, TaskStatus.FAILED, TaskStatus.CANCELLED})


class Cause(StrEnum):
    """Why an attempt ended. It decides which budget pays for the next one.

    `ERROR` and `TIMEOUT` are charged to the retry policy, `LOST` to the worker's `max_crashes`, `SNOOZED` and
    `RELEASED` to nothing.
    """

    SUCCESS = "success"
    ERROR = "error"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    LOST = "lost"
    SNOOZED = "snoozed"
    RELEASED = "released"


class OnConflict(StrEnum):
    """What enqueue does when an unfinished task holds the same key."""

    RETURN = "return"
    RAISE = "raise"
    REPLACE = "replace"


class Task(NamedTuple):
    """A call on its way into the store.

    Attributes:
        id: made by the producer, sortable by time; see `new_task_id`.
        name: what people see; the function's qualified name unless given.
        payload: the call as bytes.
        queue: the named lane.
        priority: higher is claimed first; default 0.
        eta: earliest start, timezone-aware; None means now.
        delay: seconds to wait before the task is due, counted by the store's clock; used when eta is None.
        expires: seconds after enqueueing in which the task may start; None means for ever.
        timeout: seconds that one attempt may run; None means as long as it likes.
        max_attempts: attempts that may end in an exception or a timeout.
        key: at most one unfinished task may hold it; None means no such limit.
        on_conflict: what happens when another task holds the key.
        python: "major.minor" that the payload needs because it carries code by value; None means any.
        executor: where the worker runs it; None means the worker's own choice.
        retention: seconds to keep the task after it ended; None means until it is deleted.
        tags: words to find it by.
        meta: JSON-serializable facts of the caller's own.
        arguments: a short text of the arguments, for people.
    """

    id: str
    name: str
    payload: bytes
    queue: str = DEFAULT_QUEUE
    priority: int = 0
    eta: datetime | None = None
    delay: float = 0.0
    expires: float | None = None
    timeout: float | None = None
    max_attempts: int = 1
    key: str | None = None
    on_conflict: OnConflict = OnConflict.RETURN
    python: str | None = None
    executor: str | None = None
    retention: float | None = None
    tags: tuple[str, ...] = ()
    meta: Mapping[str, Any] | None = None
    arguments: str | None = None


class Claim(NamedTuple):
    """The right to run a task: its id together with the attempt number is the fence.

    Attributes:
        attempt: number of this attempt, from 1; it never goes down.
        failures: earlier attempts that ended in an exception or a timeout.
        crashes: earlier attempts that ended because their worker died.
        timeout: seconds that this attempt may run; None means as long as it likes.
    """

    id: str
    attempt: int
    name: str
    queue: str
    payload: bytes
    failures: int = 0
    crashes: int = 0
    max_attempts: int = 1
    timeout: float | None = None
    executor: str | None = None


class Outcome(NamedTuple):
    """What an attempt came to, handed back under the claim's fence.

    Attributes:
        queue: the claim's lane.
        status: a final status, or PENDING when the task is to be claimed again.
        cause: why the attempt ended.
        value: the returned value as bytes, for SUCCESS.
        error: "ValueError: …" on one line, for FAILED and retries.
        traceback: the traceback as text.
        delay: seconds until the task is due again, for PENDING.
        duration: seconds that the attempt ran.
    """

    id: str
    attempt: int
    queue: str
    status: TaskStatus
    cause: Cause
    value: bytes | None = None
    error: str | None = None
    traceback: str | None = None
    delay: float = 0.0
    duration: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a task has come to so far, for who waits for it.

    Attributes:
        status: "pending", "running", "success", "failed" or "cancelled".
        value: the returned value as bytes; `TaskQueue.deserialize_result` makes it a value again.
        error: "ValueError: …" on one line.
        traceback: the traceback as text.
        attempt: number of the last attempt; 0 before the first.
        worker: name of the worker that ran it last.
    """

    task_id: str
    status: TaskStatus
    value: bytes | None = None
    error: str | None = None
    traceback: str | None = None
    enqueued_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    attempt: int = 0
    worker: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskInfo:
    """A task as a monitor sees it: everything but its bytes.

    Attributes:
        due_at: when the task may be claimed next, or could have been.
        cancel_requested: somebody asked a running task to stop.
        stalled: it is running, but its worker's lease is over.
        waits_for: what a pending task needs before it can be claimed ("a worker on Python 3.12"); None when nothing.
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
        tag: only those that have this tag.
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
    tag: str | None = None
    text: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    order: Order = Order.NEWEST
    before: str | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerInfo:
    """A worker as it presents itself, and as others see it.

    Attributes:
        id: unique for each start of a worker.
        host, pid, process: which process it lives in; `process` tells a reused pid from the old one.
        queues: the lanes that it serves; None means all.
        python: "major.minor" that it runs.
        seen_at: last heartbeat; None before the first.
        running: tasks that it is running.
        alive: its lease holds.
    """

    id: str
    host: str
    pid: int
    process: str
    queues: tuple[str, ...] | None
    max_concurrency: int
    python: str
    started_at: datetime
    seen_at: datetime | None = None
    running: int = 0
    alive: bool = True


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


@dataclass(slots=True)
class _IdClock:
    """Gives 64-bit stamps that only grow: 48 bits of milliseconds, then a counter within the millisecond."""

    last: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def reserve(self, count: int) -> int:
        """Take `count` stamps in a row and return the first."""
        with self.lock:
            first = max(time.time_ns() // 1_000_000 << 16, self.last + 1)
            self.last = first + count - 1
            return first


_id_clock = _IdClock()


def new_task_id() -> str:
    """Make an id of 28 hex digits that sorts by time, in order within this process; 48 bits of it are random."""
    return f"{_id_clock.reserve(1):016x}{os.urandom(6).hex()}"


def new_task_ids(count: int) -> list[str]:
    """Make many ids at once, in order."""
    first, noise = _id_clock.reserve(count), os.urandom(6 * count).hex()
    return [f"{first + place:016x}{noise[12 * place : 12 * place + 12]}" for place in range(count)]
