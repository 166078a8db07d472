"""What a person can do to tasks and lanes: what is planned, how far it has come, and what came of it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sitq.core import TaskStatus
from sitq.sanitize import Clean
from sitq_monitor.model import TaskId
from sitq_monitor.view import Filter

PLAN_LIMIT = 10_000
"""Tasks that a plan counts; what exceeds it is done all the same, but told as "more than"."""


class Action(StrEnum):
    """A verb of people."""

    REQUEUE = "requeue"
    CANCEL = "cancel"
    DELETE = "delete"
    RUN_NOW = "run_now"
    RERUN = "rerun"

    @property
    def reaches(self) -> frozenset[TaskStatus]:
        """The states in which a task can be reached. The store itself decides in the end."""
        return _REACHED[self]

    @property
    def words(self) -> Clean:
        return Clean(self.replace("_", " "))

    def may(self, status: TaskStatus, phase: str) -> bool:
        """Tell whether a task can be reached, from its state and how that is named more finely."""
        return status in self.reaches and (self is not Action.RUN_NOW or phase in WAITING)


WAITING = ("scheduled", "retrying")
_REACHED = {
    Action.REQUEUE: frozenset({TaskStatus.FAILED, TaskStatus.CANCELLED}),
    Action.CANCEL: frozenset({TaskStatus.PENDING, TaskStatus.RUNNING}),
    Action.DELETE: frozenset(TaskStatus) - {TaskStatus.RUNNING},
    Action.RUN_NOW: frozenset({TaskStatus.PENDING}),
    Action.RERUN: frozenset(TaskStatus),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """To what something is done.

    Attributes:
        ids: to these; None means to all that the filter matches.
        filter: what was shown when it was asked for.
        asked_at: tasks that arrive later are left out.
    """

    ids: tuple[TaskId, ...] | None
    filter: Filter
    asked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an action would come to.

    Attributes:
        eligible: tasks that it would reach.
        skipped: tasks that it would leave alone, by state, or by phase where some of that state are reached.
        names: of the first of the eligible tasks, each once.
        arguments: of the eligible task, when it is one alone and has some.
        counted_all: False when there are more than `PLAN_LIMIT`.
    """

    action: Action
    scope: Scope
    eligible: int
    skipped: tuple[tuple[str, int], ...]
    names: tuple[Clean, ...]
    arguments: Clean | None = None
    counted_all: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far something that takes long has come."""

    what: Clean
    done: int
    of: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What an action came to.

    Attributes:
        asked: tasks that it was tried on.
        reached: tasks that it was done to; the others had moved on.
        stopped: somebody stopped it before its end.
        trouble: why the store did not go on.
    """

    action: Action
    asked: int
    reached: int
    stopped: bool = False
    trouble: Clean | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """Something else has been done, or not.

    Attributes:
        words: what, on one line.
        failed: it has not been done; `words` say why.
    """

    words: Clean
    failed: bool = False
