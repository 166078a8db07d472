"""What a running task may know of itself."""

import time
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sitq.core import Claim
from sitq.exceptions import TaskCancelledError


class Reporter(Protocol):
    """Takes what a running attempt tells of itself; called on any thread, and it never waits."""

    def progress(self, done: float | None, total: float | None, message: str | None) -> None: ...

    def write(self, stream: str, text: str) -> None: ...


@dataclass(slots=True)
class TaskContext:
    """The task that is running here.

    Attributes:
        id: its id.
        attempt: number of this attempt, from 1.
        name: its name.
        deadline: `time.monotonic()` at which its timeout is over; None without one.
        stop_requested: it was cancelled or its time is up, and only it can stop itself.
        reporter: takes its progress and what it prints; None when nobody listens.
        scheduled_at: the occurrence of its schedule that it runs for, in UTC; None when it was enqueued.
    """

    id: str
    attempt: int
    name: str
    deadline: float | None = None
    stop_requested: bool = False
    reporter: Reporter | None = None
    scheduled_at: datetime | None = None

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the timeout is over; None without one."""
        return None if self.deadline is None else self.deadline - time.monotonic()


def attempt_context(claim: Claim, begun: float, reporter: Reporter | None) -> TaskContext:
    """Make the context of an attempt that began at `time.monotonic()` of `begun`."""
    return TaskContext(
        id=claim.id,
        attempt=claim.attempt,
        name=claim.name,
        deadline=None if claim.timeout is None else begun + claim.timeout,
        reporter=reporter,
        scheduled_at=claim.scheduled_at,
    )


_current: ContextVar[TaskContext | None] = ContextVar("sitq_current_task", default=None)
# Keeps what an attempt prints from the worker's own stdout and stderr: in a notebook they are those of some cell.
hides_output: ContextVar[bool] = ContextVar("sitq_hides_output", default=False)
enter = _current.set
leave = _current.reset


def current_task() -> TaskContext | None:
    """Tell which task is running here; None outside of one."""
    return _current.get()


def check_cancelled() -> None:
    """Raise if the running task was cancelled or its time is up; outside of a task do nothing.

    A thread cannot be stopped from outside: a long function that calls this now and then can.

    Raises:
        TaskCancelledError: the task is to stop.
    """
    task = _current.get()
    if task is not None and task.stop_requested:
        raise TaskCancelledError("the task was asked to stop", task_id=task.id)
