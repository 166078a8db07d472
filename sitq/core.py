"""The records that travel between queue, worker, store and monitor: frozen data that does nothing.

Those made for every task are named tuples: as frozen dataclasses they cost 2 µs each instead of 0.8, three for a task.
"""

import os
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

PYTHON_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"  # as payloads with code, and workers, tell it
DEFAULT_QUEUE = "default"
LOOP_EXECUTOR = "loop"  # of coroutine functions: they run on the worker's event loop
THREAD_EXECUTOR = "thread"
PROCESS_EXECUTOR = "process"
EXECUTORS = (THREAD_EXECUTOR, PROCESS_EXECUTOR)  # those to choose from


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


class OnFailure(StrEnum):
    """What becomes of a task when one that it needs fails, is cancelled or is deleted before it has ended.

    `CANCEL` cancels it, `FAIL` fails it, `RUN` lets it run; each does so to those that need it in turn.
    """

    CANCEL = "cancel"
    RUN = "run"
    FAIL = "fail"


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
        needs: ids of tasks whose values the call takes; it waits until they have ended.
        after: ids of further tasks that it waits for.
        on_failure: what becomes of it when one of these does not succeed.
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
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    on_failure: OnFailure = OnFailure.CANCEL


class Claim(NamedTuple):
    """The right to run a task: its id together with the attempt number is the fence.

    Attributes:
        attempt: number of this attempt, from 1; it never goes down.
        failures: earlier attempts that ended in an exception or a timeout.
        crashes: earlier attempts that ended because their worker died.
        timeout: seconds that this attempt may run; None means as long as it likes.
        waited: it has waited for other tasks, whose values it may take; see `Backend.inputs`.
        inputs: what these came to; the worker looks it up.
        meta: the caller's own facts.
        scheduled_at: the occurrence of its schedule that it was stored for; None when it has no schedule.
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
    waited: bool = False
    inputs: "Mapping[str, Result] | None" = None
    meta: Mapping[str, Any] | None = None
    scheduled_at: datetime | None = None


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


class Progress(NamedTuple):
    """How far a task has come, in units of its own.

    Attributes:
        done: units done so far; None when it did not say.
        total: units altogether; None when it does not know.
        message: a short text of the task's own.
    """

    done: float | None = None
    total: float | None = None
    message: str | None = None


class Report(NamedTuple):
    """What a running attempt tells of itself, handed in under the claim's fence.

    Attributes:
        progress: takes the place of what it said before; None leaves that.
        output: (stream, text) in the order in which it was written; a stream is "stdout" or "stderr".
        keep: bytes of the attempt's output to keep, the newest; None when there cannot be more than that.
    """

    id: str
    attempt: int
    progress: Progress | None = None
    output: tuple[tuple[str, str], ...] = ()
    keep: int | None = None


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
