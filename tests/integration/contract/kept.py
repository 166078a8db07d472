"""What the model of the contract keeps: tasks and schedules, and how they are to be seen."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from sitq.core import Cause, OnConflict, Progress, Result, Task, TaskStatus
from sitq.recurring import Schedule
from sitq.views import TaskInfo

SECOND = 1_000_000
SOME_TIME = datetime(2000, 1, 1, tzinfo=UTC)  # stands for every moment that only the store's clock knows


@dataclass(kw_only=True)
class Kept:
    """A task in the model.

    Attributes:
        due: when it may be claimed, by the model's clock, as are all its moments.
        needs: ids of those that it needs and that were not deleted; whether it takes their value.
        blocked: it waits for some of these.
        history: why each attempt ended, but for those that never began.
    """

    task: Task
    place: int
    due: int
    expires_at: int | None
    needs: dict[str, bool] = field(default_factory=dict)
    blocked: bool = False
    status: TaskStatus = TaskStatus.PENDING
    attempt: int = 0
    failures: int = 0
    crashes: int = 0
    worker: str | None = None
    stop: bool = False
    error: str | None = None
    traceback: str | None = None
    value: bytes | None = None
    purge_at: int | None = None
    ended_at: int | None = None
    progress: Progress | None = None
    output: list[tuple[int, str, str]] = field(default_factory=list)
    history: dict[int, Cause] = field(default_factory=dict)
    schedule: str | None = None
    scheduled_at: datetime | None = None

    @property
    def unfinished(self) -> bool:
        return not self.status.is_final

    @property
    def is_free(self) -> bool:
        return self.status is TaskStatus.PENDING and not self.blocked

    def is_over(self, now: int, older_than: float | None) -> bool:
        """Tell whether it ended so long ago, or by its own retention, that it may be purged."""
        if older_than is None:
            return self.purge_at is not None and self.purge_at <= now
        return self.ended_at is not None and self.ended_at <= now - round(older_than * SECOND)

    def runs(self, attempt: int) -> bool:
        return self.status is TaskStatus.RUNNING and self.attempt == attempt

    def attempts(self) -> dict[int, Cause | None]:
        """Why each attempt ended; None for the one that runs."""
        running = {self.attempt: None} if self.status is TaskStatus.RUNNING else {}
        return {**self.history, **running}

    def info(self, waiting: int) -> TaskInfo:
        """The task as it is listed, while it waits for so many others."""
        task = self.task
        return TaskInfo(
            id=task.id,
            name=task.name,
            queue=task.queue,
            status=self.status,
            priority=task.priority,
            attempt=self.attempt,
            max_attempts=task.max_attempts,
            failures=self.failures,
            crashes=self.crashes,
            enqueued_at=SOME_TIME,
            due_at=SOME_TIME,
            timeout=task.timeout,
            key=task.key,
            worker=self.worker if self.status is TaskStatus.RUNNING else None,
            executor=task.executor,
            cancel_requested=self.stop,
            waits_for=None if not self.blocked else "1 other task" if waiting == 1 else f"{waiting} other tasks",
            arguments=task.arguments,
            error=self.error,
            tags=task.tags,
            meta=task.meta,
            progress=self.progress,
            schedule=self.schedule,
            scheduled_at=self.scheduled_at,
        )

    def result(self) -> Result:
        return Result(
            task_id=self.task.id,
            status=self.status,
            value=self.value,
            error=self.error,
            traceback=self.traceback,
            attempt=self.attempt,
        )

    def call(self) -> Task:
        """The task as it can be read again, without what served only once."""
        taken = {
            takes: tuple(sorted(need for need in self.needs if self.needs[need] is takes)) for takes in (True, False)
        }
        return self.task._replace(
            eta=None, delay=0.0, expires=None, on_conflict=OnConflict.RETURN, needs=taken[True], after=taken[False]
        )


@dataclass
class KeptSchedule:
    """A schedule in the model."""

    schedule: Schedule
    next_at: datetime | None
    last_at: datetime | None = None
    paused: bool = False
