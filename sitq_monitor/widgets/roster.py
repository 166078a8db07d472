"""A table of a few things that all fit in a snapshot: workers, queues, schedules."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, Generic, TypeVar

from textual import events
from textual.binding import BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from sitq_monitor.clock import TICK, Clock
from sitq_monitor.columns import Cell, Column
from sitq_monitor.keys import ROSTER_KEYS
from sitq_monitor.model import QueueRow, ScheduleRow, WorkerRow
from sitq_monitor.rosters import fitting
from sitq_monitor.widgets.bindings import bindings
from sitq_monitor.widgets.row_painter import RowPainter

HEAD = 1
NARROWEST = 40


R = TypeVar("R", QueueRow, ScheduleRow, WorkerRow)


class Roster(ScrollView, Generic[R], can_focus=True):
    """Lists rows below their titles, with a cursor that stays with its row.

    Args:
        columns: see `fitting`.
        empty: what to say when there is nothing.
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings(ROSTER_KEYS)
    ALLOW_SELECT = False

    class Changed(Message):
        """The cursor is on another row."""

    class Opened(Message):
        """Somebody clicked on the row under the cursor."""

    def __init__(self, columns: Sequence[Column], *, id: str, empty: str, clock: Clock) -> None:
        super().__init__(id=id)
        self._columns = columns
        self._empty = empty
        self._clock = clock
        self._rows: Sequence[R] = ()
        self._line = 0
        self._painter = RowPainter(self)

    def on_mount(self) -> None:
        self.set_interval(TICK, self.refresh)

    @property
    def cursor_row(self) -> R | None:
        return self._rows[self._line] if self._rows else None

    def show(self, rows: Sequence[R]) -> None:
        """Show these rows from now on."""
        if rows == self._rows:
            return
        kept = self.cursor_row
        self._rows = rows
        places = {row.id: place for place, row in enumerate(rows)}
        self._line = places.get(kept.id if kept else "", min(self._line, max(len(rows) - 1, 0)))
        self.virtual_size = Size(0, len(rows) + HEAD)
        self.refresh()

    def action_move(self, by: int) -> None:
        self._go(self._line + by)

    def action_page(self, by: int) -> None:
        self._go(self._line + by * max(self.size.height - HEAD, 1))

    def action_newest(self) -> None:
        self._go(0)

    def action_oldest(self) -> None:
        self._go(len(self._rows) - 1)

    def on_click(self, event: events.Click) -> None:
        line = event.y - HEAD + self.scroll_offset.y
        if event.y < HEAD or line >= len(self._rows):
            return
        again = line == self._line
        self._go(line)
        if again or event.chain > 1:
            self.post_message(self.Opened())

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._painter.clear()

    def render_line(self, y: int) -> Strip:
        width = max(self.scrollable_content_region.width, NARROWEST)
        columns = fitting(self._columns, width)
        if y < HEAD:
            return self._painter.draw(columns, tuple(Cell(column.title, "faint") for column in columns), width)
        line = y - HEAD + self.scroll_offset.y
        if line >= len(self._rows):
            return self._blank(width, y)
        row, base = self._rows[line], ""
        if line == self._line:
            base = "cursor" if self.has_focus else "cursor-blurred"
        cells = tuple(column.draw(row, self._clock()) for column in columns)
        return self._painter.draw(columns, cells, width, base=base)

    def _blank(self, width: int, y: int) -> Strip:
        if self._rows or y > HEAD:
            return Strip.blank(width, self.rich_style)
        return self._painter.draw((Column("", width, _nothing),), (Cell(self._empty, "faint"),), width)

    def _go(self, line: int) -> None:
        self._line = min(max(line, 0), max(len(self._rows) - 1, 0))
        top, height = self.scroll_offset.y, max(self.size.height - HEAD, 1)
        self.scroll_to(y=min(max(top, self._line - height + 1), self._line), animate=False, immediate=True)
        self.refresh()
        self.post_message(self.Changed())


def _nothing(row: object, now: datetime) -> Cell:
    return Cell("", "")
