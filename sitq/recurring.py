"""The records of calls that recur: as they are stored, shown and fired."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sitq.core import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A call that recurs, on its way into the store.

    Attributes:
        name: the store holds one schedule of each name.
        task: what each firing stores, under an id of its own.
        cron: five fields such as "0 8 * * mon-fri"; None for an interval.
        every: seconds from one occurrence to the next; None for cron.
        timezone: IANA name of the zone in which cron is read; None means UTC.
        catch_up: "last", "all" or "none": what fires of the occurrences that were missed.
        next_at: the first occurrence, from which an interval counts on.
    """

    name: str
    task: Task
    cron: str | None = None
    every: float | None = None
    timezone: str | None = None
    catch_up: str = "last"
    next_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleInfo:
    """A schedule as people see it: everything but its bytes.

    Attributes:
        cron: five fields such as "0 8 * * mon-fri"; None for an interval.
        every: seconds from one occurrence to the next; None for cron.
        timezone: IANA name of the zone in which cron is read; None means UTC.
        catch_up: "last", "all" or "none": what fires of the occurrences that were missed.
        task_name: name of the tasks that it stores.
        queue: their lane.
        arguments: a short text of their arguments.
        paused: it does not fire until it is resumed.
        next_at: the next occurrence; None when there will be none.
        last_at: the last occurrence for which it fired; None before the first.
    """

    name: str
    cron: str | None
    every: float | None
    timezone: str | None
    catch_up: str
    task_name: str
    queue: str
    created_at: datetime
    arguments: str | None = None
    paused: bool = False
    next_at: datetime | None = None
    last_at: datetime | None = None


class DueSchedules(NamedTuple):
    """What a worker must know to fire, by the store's clock.

    Attributes:
        now: the moment of the look.
        schedules: those whose next occurrence has come, or was planned while the clock was wrong.
        next_in: seconds until another becomes due; None when none will.
    """

    now: datetime
    schedules: tuple[ScheduleInfo, ...]
    next_in: float | None


class Firing(NamedTuple):
    """What a schedule owes at a moment: one task for each occurrence, and its next one.

    Attributes:
        due_at: its `next_at` as it was read, which is the fence: who comes second fires nothing.
        occurrences: in order; empty when all that was due is skipped.
        next_at: the occurrence after them; None when there will be none.
    """

    schedule: str
    due_at: datetime
    occurrences: tuple[datetime, ...]
    next_at: datetime | None
