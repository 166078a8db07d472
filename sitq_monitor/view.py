"""What the screen asks the feed for, and what the feed answers."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from sitq.core import TaskStatus
from sitq.sanitize import Clean
from sitq.views import Order
from sitq_monitor.model import Counts, Pulse, ScheduleRow, TaskDetail, TaskId, TaskRow

PAGE = 100
"""Rows in one page at least; a high screen takes more."""
MATCH_LIMIT = 1_000
"""Matches of a filter are counted up to here."""
MESSAGE_LIMIT = 400
"""Characters that are shown of what a store complains of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which tasks to show; see `TaskQuery`. What is None or () matches everything."""

    status: TaskStatus | None = None
    name: str | None = None
    queue: str | None = None
    tag: str | None = None
    except_statuses: tuple[TaskStatus, ...] = ()
    except_queues: tuple[str, ...] = ()
    except_names: tuple[str, ...] = ()
    text: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_plain(self) -> bool:
        """It asks for a state at most, which the store finds by its index and counts."""
        return replace(self, status=None) == Filter()

    @property
    def statuses(self) -> frozenset[TaskStatus]:
        """The states of the tasks that it may match."""
        among = frozenset({self.status}) if self.status else frozenset(TaskStatus)
        return among - frozenset(self.except_statuses)


END = 1.0
"""The end of a list, as a place to jump to."""

Place = datetime | float
"""A place in a list: a moment of arrival, or a part of its time from 0.0 to 1.0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What the screen asks for.

    Attributes:
        limit: rows in one page.
        held: ids on a screen that holds still, to be read anew in place.
        after: the last row that is loaded, when the page below it is wanted.
        above: the first row that is loaded, when the page above it is wanted.
        jump: where the rows are to begin, when they are to be others altogether.
        task_id: the task whose detail is shown.
        live: also read what changes by itself; without it only what was asked for.
    """

    filter: Filter = Filter()
    order: Order = Order.NEWEST
    limit: int = PAGE
    held: tuple[TaskId, ...] = ()
    after: TaskId | None = None
    above: TaskId | None = None
    jump: Place | None = None
    task_id: TaskId | None = None
    live: bool = True

    @property
    def asks_for_pages(self) -> bool:
        """Somebody waits for rows besides the head of the list."""
        return (self.after, self.above, self.jump) != (None, None, None)

    def lists_like(self, other: Self) -> bool:
        """Tell whether the two ask for rows of the same list."""
        return (self.filter, self.order) == (other.filter, other.order)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Pages of the list that a view asks for.

    Attributes:
        head: its first page; None when the view is not live.
        below: the page below `view.after`.
        over: the page above `view.above`.
        jumped: the page at `view.jump`.
        matches: how many tasks match, up to `MATCH_LIMIT`; None where the counts tell.
    """

    head: tuple[TaskRow, ...] | None = None
    below: tuple[TaskRow, ...] | None = None
    over: tuple[TaskRow, ...] | None = None
    jumped: tuple[TaskRow, ...] | None = None
    matches: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """An answer to a view, as of one moment. What is None was not read: what had been said of it still stands.

    Attributes:
        held: those of the view's held rows that still exist.
        has_detail: `detail` was read; it is None when the task is gone.
        trouble: what the store complained of, on one line.
    """

    view: View
    read_at: datetime
    counts: Counts | None = None
    rows: Rows | None = None
    held: tuple[TaskRow, ...] | None = None
    detail: TaskDetail | None = None
    has_detail: bool = False
    pulse: Pulse | None = None
    schedules: tuple[ScheduleRow, ...] | None = None
    trouble: Clean | None = None

    def says_the_same_as(self, other: Self) -> bool:
        """Tell whether the two differ in nothing but their moment."""
        return replace(self, read_at=other.read_at) == other

    def replaces(self, older: Self) -> bool:
        """Tell whether an older answer, that nobody has seen yet, need not be seen any more."""
        return self._parts == older._parts and self.view == older.view

    @property
    def _parts(self) -> tuple[bool, ...]:
        return self.counts is None, self.rows is None, self.pulse is None, self.trouble is None
