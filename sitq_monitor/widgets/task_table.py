"""The table of tasks, drawn line by line: what a line costs does not depend on how many tasks there are."""

from collections.abc import Iterable
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import Reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from sitq_monitor.clock import TICK, Clock
from sitq_monitor.columns import cells_of, columns_for, span_of_changes
from sitq_monitor.keys import TABLE_KEYS
from sitq_monitor.listing import Listing
from sitq_monitor.marks import Marks
from sitq_monitor.model import TaskId, TaskRow
from sitq_monitor.view import END, Place, Snapshot, View
from sitq_monitor.widgets.bindings import bindings
from sitq_monitor.widgets.row_painter import RowPainter


class TaskTable(ScrollView, can_focus=True):
    """Lists tasks, with a cursor that stays with its task and marks for changing several.

    Args:
        read_only: without marks, since there is nothing to do to marked tasks.
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings(TABLE_KEYS)
    ALLOW_SELECT = False
    virtual_size = Reactive(Size(0, 0), repaint=False)  # rows come and go without a new layout

    class Changed(Message):
        """The cursor, the marks or the rows on the screen are others now."""

    class Opened(Message):
        """Somebody clicked on the task under the cursor."""

    def __init__(self, *, id: str, read_only: bool, clock: Clock) -> None:
        super().__init__(id=id)
        self._read_only = read_only
        self.listing = Listing()
        self.following = True
        self.marks = Marks()
        self.jump: Place | None = None
        self.may_jump = True
        self._clock = clock
        self._cursor: TaskId | None = None
        self._line = 0
        self._ticked = clock()
        self._painter = RowPainter(self)

    def on_mount(self) -> None:
        self.set_interval(TICK, self._tick)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return not (self._read_only and action in ("mark", "mark_all"))

    # What is looked at

    @property
    def cursor_row(self) -> TaskRow | None:
        return self.listing.rows[self._line] if self._line < len(self.listing.rows) else None

    @property
    def cursor_line(self) -> int:
        return self._line

    @property
    def chosen(self) -> tuple[TaskId, ...]:
        """The tasks that an action is for: the marked ones, or else the one under the cursor."""
        return self.marks.ids or ((self.cursor_row.id,) if self.cursor_row else ())

    @property
    def held(self) -> tuple[TaskId, ...]:
        """The rows on the screen and their neighbours, when they hold still."""
        if self.following:
            return ()
        top, height = self.scroll_offset.y, self._height
        around = self.listing.rows[max(top - height, 0) : top + 2 * height]
        return tuple(row.id for row in around)

    # What the feed says

    def hear(self, snapshot: Snapshot) -> None:
        """Take a snapshot in: rows come in on top while following, and change in their places otherwise."""
        view, rows = snapshot.view, snapshot.rows
        if rows is not None and rows.head is not None:
            self.listing.hear(rows.head, limit=view.limit)
            if self.following:
                self._adopt()
        if snapshot.held is not None and not self.following:
            self._repaint(self.listing.refresh(view.held, snapshot.held))
        if rows is not None and view.after and rows.below is not None:
            self._take_below(view.after, rows.below, view.limit)
        if rows is not None and view.above and rows.over is not None:
            self._take_above(view.above, rows.over, view.limit)
        if rows is not None and rows.jumped is not None and self.jump is not None and view.jump == self.jump:
            self._land(view, rows.jumped)
        self.post_message(self.Changed())

    def start_over(self, *, may_jump: bool) -> None:
        """Forget all rows, and follow; a list in another order may not be jumped about in."""
        self.may_jump = may_jump
        self.listing = Listing()
        self.following, self._cursor, self._line, self.jump = True, None, 0, None
        self._resize()
        self.scroll_to(y=0, animate=False, immediate=True)
        self.marks.clear()
        self.refresh()

    def follow(self, on: bool) -> None:
        """Let newest tasks come in on top, or hold still."""
        if on:
            self.action_newest()
        self.following = on
        self.post_message(self.Changed())

    def go_to(self, place: Place) -> None:
        """Ask for the rows at a place of the list; they come with a snapshot."""
        self.jump = place
        self.following = False
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
        if self.listing.has_more and self.may_jump:
            self.go_to(END)
        else:
            self._go(len(self.listing.rows) - 1)

    def action_mark(self) -> None:
        row = self.cursor_row
        if row is not None:
            self.marks.turn(row.id)
            self.refresh()
            self._go(self._line + 1)

    def action_mark_all(self) -> None:
        if self.listing.rows:
            self.marks.mark_all()
            self.refresh()
            self.post_message(self.Changed())

    def action_unmark(self) -> None:
        if self.marks.clear():
            self.refresh()
            self.post_message(self.Changed())

    def on_click(self, event: events.Click) -> None:
        line = event.y + self.scroll_offset.y
        if line < len(self.listing.rows):
            again = line == self._line
            self._go(line)
            if again or event.chain > 1:
                self.post_message(self.Opened())

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        top = round(new_value)
        if top > 0:
            self.following = False
        if round(old_value) != top:
            self.listing.want_around(top, self._height)
            self.post_message(self.Changed())

    def on_resize(self) -> None:
        self._show_cursor()
        self.post_message(self.Changed())

    # Drawing

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._painter.clear()

    def render_line(self, y: int) -> Strip:
        line, width = y + self.scroll_offset.y, self._width
        if line >= len(self.listing.rows):
            return Strip.blank(width, self.rich_style)
        row = self.listing.rows[line]
        base = ("cursor" if self.has_focus else "cursor-blurred") if line == self._line else ""
        cells = cells_of(row, width, self._clock())
        return self._painter.draw(columns_for(width), cells, width, base=base, marked=row.id in self.marks)

    @property
    def _height(self) -> int:
        return max(self.size.height, 1)

    @property
    def _width(self) -> int:
        return self.scrollable_content_region.width

    def _tick(self) -> None:
        """Repaint what reads differently now than at the tick before."""
        now, width, top = self._clock(), self._width, self.scroll_offset.y
        for y, row in enumerate(self.listing.rows[top : top + self.size.height]):
            span = span_of_changes(cells_of(row, width, self._ticked), cells_of(row, width, now), width)
            if span is not None:
                self.refresh(Region(span[0], y, span[1] - span[0], 1))
        self._ticked = now

    def _repaint(self, lines: Iterable[int]) -> None:
        for line in lines:
            self.refresh_line(line)

    # Rows that come and go

    def _adopt(self) -> None:
        changed = self.listing.adopt()
        old, place = self._line, self.listing.place_of(self._cursor)
        self._line = place if place is not None and place < self.size.height else 0
        self._cursor = self.cursor_row.id if self.cursor_row else None
        self._resize()
        self._repaint({*changed, *({old, self._line} if old != self._line else ())})

    def _take_below(self, after: TaskId, page: tuple[TaskRow, ...], limit: int) -> None:
        rows = len(self.listing.rows)
        gone = self.listing.extend_below(after, page, limit=limit)
        if gone is not None:
            self._shift(-gone)
            self._repaint(range(rows - gone, self.scroll_offset.y + self.size.height))

    def _take_above(self, above: TaskId, page: tuple[TaskRow, ...], limit: int) -> None:
        came = self.listing.extend_above(above, page, limit=limit)
        if came is not None:
            self._shift(came)

    def _shift(self, by: int) -> None:
        """Move cursor and picture with rows that came or went above them: they stand still, and are not repainted."""
        top = self.scroll_offset.y + by
        self._line = max(self._line + by, 0)
        self._cursor = self.cursor_row.id if self.cursor_row else None
        self._resize()
        if top < 0:
            self.scroll_to(y=0, animate=False, immediate=True)
            self.refresh()
        elif by:
            for reactive in (Widget.scroll_y, Widget.scroll_target_y):
                # Where a type checker sees a value, a class gives its Reactive.
                self.set_reactive(reactive, float(top))  # pyright: ignore[reportArgumentType]
            self.vertical_scrollbar.position = top

    def _land(self, view: View, page: tuple[TaskRow, ...]) -> None:
        self.jump = None
        to_end = view.jump == END
        self.listing.jump(page, limit=view.limit, to_end=to_end)
        self._resize()
        self.scroll_to(y=0, animate=False, immediate=True)
        self._go(len(page) - 1 if to_end else 0)
        self.refresh()

    # Moving

    def _go(self, line: int) -> None:
        rows = self.listing.rows
        line = min(max(line, 0), max(len(rows) - 1, 0))
        self.following = False
        self._repaint({self._line, line})
        self._line = line
        self._cursor = rows[line].id if rows else None
        self._show_cursor()
        self.listing.want_around(line, self._height)
        self.post_message(self.Changed())

    def _show_cursor(self) -> None:
        top, height = self.scroll_offset.y, self._height
        wanted = min(max(top, self._line - height + 1), self._line)
        if wanted != top:
            self.scroll_to(y=wanted, animate=False, immediate=True)

    def _resize(self) -> None:
        # Width 0: the width of the screen would grow a horizontal bar as soon as the vertical one takes a column of it.
        rows = len(self.listing.rows)
        self.virtual_size = Size(0, rows)
        self.vertical_scrollbar.window_virtual_size = rows
        if (rows > self.size.height) != self.show_vertical_scrollbar:
            self.refresh(layout=True)
