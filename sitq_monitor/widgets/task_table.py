"""The table of tasks, drawn line by line: what a line costs does not depend on how many tasks there are."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from sitq_monitor.columns import GAP, GUTTER, cells_of, columns_for
from sitq_monitor.keys import TABLE_KEYS
from sitq_monitor.listing import Listing
from sitq_monitor.model import Snapshot, TaskId, TaskRow
from sitq_monitor.widgets.bindings import bindings
from sitq_monitor.widgets.cells import fit
from sitq_monitor.widgets.paint import CLASSES, paint

CURSOR, MARK = "▌", "◆"
TICK = 1.0


def utc_now() -> datetime:
    return datetime.now(UTC)


class TaskTable(ScrollView, can_focus=True):
    """Lists tasks, with a cursor that stays with its task and marks for changing several.

    Args:
        read_only: without marks, since there is nothing to do to marked tasks.
        clock: tells the time, by which ages and running times are counted.
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings(TABLE_KEYS)
    COMPONENT_CLASSES: ClassVar[set[str]] = CLASSES
    ALLOW_SELECT = False

    class Changed(Message):
        """The cursor, the marks or the rows on the screen are others now."""

    class Opened(Message):
        """Somebody clicked on the task under the cursor."""

    def __init__(self, *, id: str, read_only: bool = False, clock: Callable[[], datetime] = utc_now) -> None:
        super().__init__(id=id)
        self._read_only = read_only
        self.listing = Listing()
        self.following = True
        self.marks: set[TaskId] = set()
        self._clock = clock
        self._cursor: TaskId | None = None
        self._line = 0
        self._ticked = clock()
        self._wants_more = False

    def on_mount(self) -> None:
        self.set_interval(TICK, self._tick)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return not (self._read_only and action == "mark")

    # What is looked at

    @property
    def cursor_row(self) -> TaskRow | None:
        return self.listing.rows[self._line] if self._line < len(self.listing.rows) else None

    @property
    def cursor_line(self) -> int:
        return self._line

    @property
    def chosen(self) -> list[TaskRow]:
        """The rows that an action is for: the marked ones, or else the one under the cursor."""
        marked = [row for row in self.listing.rows if row.id in self.marks]
        return marked or ([self.cursor_row] if self.cursor_row else [])

    @property
    def held(self) -> tuple[TaskId, ...]:
        """The rows on the screen and their neighbours, when they hold still."""
        if self.following:
            return ()
        top, height = self.scroll_offset.y, max(self.size.height, 1)
        around = self.listing.rows[max(top - height, 0) : top + 2 * height]
        return tuple(row.id for row in around)

    @property
    def wants_before(self) -> TaskId | None:
        """The last row, when the page after it is wanted."""
        rows = self.listing.rows
        return rows[-1].id if self._wants_more and self.listing.has_more and rows else None

    # What the feed says

    def hear(self, snapshot: Snapshot) -> None:
        """Take a snapshot in: rows come in on top while following, and change in their places otherwise."""
        view, listing = snapshot.view, self.listing
        if view.live:
            listing.hear(snapshot.head, limit=view.limit)
            if self.following:
                self._adopt()
            else:
                self._repaint(listing.refresh(view.held, snapshot.held))
        if view.before and snapshot.tail is not None and listing.extend(view.before, snapshot.tail, limit=view.limit):
            self._wants_more = False
            self._resize()
        self.post_message(self.Changed())

    def start_over(self) -> None:
        """Forget all rows, and follow."""
        self.listing = Listing()
        self.marks.clear()
        self.following, self._cursor, self._line, self._wants_more = True, None, 0, False
        self._resize()
        self.scroll_to(y=0, animate=False, immediate=True)
        self.refresh()

    def follow(self, on: bool) -> None:
        """Let newest tasks come in on top, or hold still."""
        self.following = on
        if on:
            self.action_newest()
            self.following = True
        self.post_message(self.Changed())

    # Keys and mouse

    def action_move(self, by: int) -> None:
        self._go(self._line + by)

    def action_page(self, by: int) -> None:
        self._go(self._line + by * max(self.size.height - 1, 1))

    def action_newest(self) -> None:
        self._adopt()
        self._go(0)

    def action_oldest(self) -> None:
        self._go(len(self.listing.rows) - 1)

    def action_mark(self) -> None:
        row = self.cursor_row
        if row is not None:
            self.marks ^= {row.id}
            self._repaint([self._line])
            self._go(self._line + 1)

    def unmark(self) -> bool:
        """Take all marks away, and tell whether there were any."""
        had, self.marks = bool(self.marks), set()
        if had:
            self.refresh()
            self.post_message(self.Changed())
        return had

    def on_click(self, event: events.Click) -> None:
        line = event.y + self.scroll_offset.y
        if line < len(self.listing.rows):
            again = line == self._line
            self._go(line)
            if again or event.chain > 1:
                self.post_message(self.Opened())

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if round(new_value) > 0:
            self.following = False
        if round(old_value) != round(new_value):
            self._wants_more = self._wants_more or self._near_end(round(new_value) + self.size.height)
            self.post_message(self.Changed())

    def on_resize(self) -> None:
        self._show_cursor()
        self.post_message(self.Changed())

    # Drawing

    def render_line(self, y: int) -> Strip:
        line = y + self.scroll_offset.y
        width = self._width
        if line >= len(self.listing.rows):
            return Strip.blank(width, self.rich_style)
        row = self.listing.rows[line]
        segments = self._segments(row, on_cursor=line == self._line)
        return Strip(segments).adjust_cell_length(width, segments[-1].style)

    def _segments(self, row: TaskRow, *, on_cursor: bool) -> list[Segment]:
        width = self._width
        base = ("cursor" if self.has_focus else "cursor-blurred") if on_cursor else ""
        gutter = fit((CURSOR if on_cursor else " ") + (MARK if row.id in self.marks else " "), GUTTER)
        segments = [Segment(gutter, paint(self, "mark", base).rich_style)]
        for column, cell in zip(columns_for(width), cells_of(row, width, self._clock()), strict=True):
            text = fit(cell.text, column.width, right=column.right, dotted=column.dotted)
            style = paint(self, "faint" if row.phase == "deleted" else cell.style, base)
            segments.append(Segment(text + " " * GAP, style.rich_style))
        return segments

    @property
    def _width(self) -> int:
        return self.scrollable_content_region.width

    def _tick(self) -> None:
        """Repaint the lines on the screen that read differently now than at the tick before."""
        now, width, top = self._clock(), self._width, self.scroll_offset.y
        shown = range(top, min(top + self.size.height, len(self.listing.rows)))
        rows = self.listing.rows
        self._repaint([n for n in shown if cells_of(rows[n], width, now) != cells_of(rows[n], width, self._ticked)])
        self._ticked = now

    def _repaint(self, lines: Iterable[int]) -> None:
        for line in lines:
            self.refresh_line(line)

    # Moving

    def _adopt(self) -> None:
        changed = self.listing.adopt()
        old, place = self._line, self.listing.place_of(self._cursor)
        self._line = place if place is not None and place < self.size.height else 0
        self._cursor = self.cursor_row.id if self.cursor_row else None
        self._resize()
        self._repaint({*changed, *({old, self._line} if old != self._line else ())})

    def _go(self, line: int) -> None:
        rows = self.listing.rows
        line = min(max(line, 0), max(len(rows) - 1, 0))
        self.following = False
        self._wants_more = self._wants_more or self._near_end(line + self.size.height)
        self._repaint({self._line, line})
        self._line = line
        self._cursor = rows[line].id if rows else None
        self._show_cursor()
        self.post_message(self.Changed())

    def _near_end(self, line: int) -> bool:
        return self.listing.has_more and line >= len(self.listing.rows)

    def _show_cursor(self) -> None:
        top, height = self.scroll_offset.y, max(self.size.height, 1)
        wanted = min(max(top, self._line - height + 1), self._line)
        if wanted != top:
            self.scroll_to(y=wanted, animate=False, immediate=True)

    def _resize(self) -> None:
        # Width 0: the width of the screen would grow a horizontal bar as soon as the vertical one takes a column of it.
        self.virtual_size = Size(0, len(self.listing.rows))
