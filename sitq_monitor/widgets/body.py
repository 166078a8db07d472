"""The middle of the screen: the list of tasks and one of them, or in their place workers, queues or schedules."""

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from sitq_monitor.clock import Clock
from sitq_monitor.model import QueueRow, ScheduleRow, TaskRow, WorkerRow
from sitq_monitor.rosters import QUEUE_COLUMNS, SCHEDULE_COLUMNS, WORKER_COLUMNS
from sitq_monitor.view import Snapshot
from sitq_monitor.widgets.column_heads import ColumnHeads
from sitq_monitor.widgets.detail import DetailPane
from sitq_monitor.widgets.roster import Roster
from sitq_monitor.widgets.task_table import TaskTable


class Body(Horizontal):
    """Has one place at a time; where there is room, the task stands beside the list.

    Attributes:
        place: what has the screen: "list", "task", "workers", "queues" or "schedules".
    """

    def __init__(self, *, id: str, read_only: bool, clock: Clock) -> None:
        super().__init__(id=id)
        self.table = TaskTable(id="table", read_only=read_only, clock=clock)
        self.detail = DetailPane(id="detail", clock=clock)
        self.crew = Roster[WorkerRow](WORKER_COLUMNS, id="workers", empty="no worker has been seen lately", clock=clock)
        self.queues = Roster[QueueRow](QUEUE_COLUMNS, id="queues", empty="no queue yet", clock=clock)
        self.schedules = Roster[ScheduleRow](
            SCHEDULE_COLUMNS, id="schedules", empty="nothing is enqueued by the clock", clock=clock
        )
        self.place = "list"
        self._places: dict[str, Widget] = {
            "list": self.table,
            "task": self.detail,
            "workers": self.crew,
            "queues": self.queues,
            "schedules": self.schedules,
        }

    def compose(self) -> ComposeResult:
        with Vertical(id="list"):
            yield ColumnHeads(id="heads")
            yield self.table
        yield self.detail
        yield self.crew
        yield self.queues
        yield self.schedules

    @property
    def open_task(self) -> TaskRow | None:
        """The task that has the screen."""
        return self.table.cursor_row if self.place == "task" else None

    @property
    def queue(self) -> QueueRow | None:
        """The queue under the cursor, while queues have the screen."""
        return self.queues.cursor_row if self.place == "queues" else None

    @property
    def schedule(self) -> ScheduleRow | None:
        """The schedule under the cursor, while schedules have the screen."""
        return self.schedules.cursor_row if self.place == "schedules" else None

    @property
    def shows_tasks(self) -> bool:
        return self.place in ("list", "task")

    def go(self, place: str) -> None:
        """Give a place the screen, and the keys at once, since the next one may be on its way."""
        if place != self.place:
            self.screen.remove_class(f"-{self.place}", update=False)
            self.screen.add_class(f"-{place}")
            self.place = place
        self.screen.set_focus(self._places[place])

    def show(self, snapshot: Snapshot) -> None:
        """Show what a snapshot tells besides tasks."""
        if snapshot.counts is not None:
            self.crew.show(snapshot.counts.workers)
            self.queues.show(snapshot.counts.queues)
        if snapshot.schedules is not None:
            self.schedules.show(snapshot.schedules)
