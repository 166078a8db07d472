"""The rows of the table and how they change: pushed by news while following, held still otherwise.

They are a window on the list of the store, whose length does not matter: it grows at both ends as it is scrolled.
"""

from collections.abc import Collection, Sequence

from sitq_monitor.model import TaskId, TaskRow

WINDOW = 2_000
"""Rows to keep at most; what is far from where pages are added is let go, and read again when it is wanted."""


class Listing:
    """Rows in the order of the list, each known by its task.

    Attributes:
        rows: what is loaded.
        has_more: the store may hold more below them.
        has_above: the store holds more above them: the window has left the head of the list.
        at_end: they were read from the end of the list, whose last row is the last of them.
        arrived: tasks of the head page that are not among the rows.
        arrived_more: the head page held none of the rows, so that there may be more than `arrived`.
    """

    def __init__(self) -> None:
        self.rows: list[TaskRow] = []
        self.has_more = self.has_above = self.at_end = False
        self.arrived = 0
        self.arrived_more = False
        self._head: tuple[TaskRow, ...] = ()
        self._head_full = False
        self._places: dict[TaskId, int] = {}
        self._wants_below = self._wants_above = False

    @property
    def wants_after(self) -> TaskId | None:
        """The last row, when the page below it is wanted."""
        return self.rows[-1].id if self._wants_below and self.has_more and self.rows else None

    @property
    def wants_above(self) -> TaskId | None:
        """The first row, when the page above it is wanted."""
        return self.rows[0].id if self._wants_above and self.has_above and self.rows else None

    def want_around(self, line: int, height: int) -> None:
        """Want the pages that would be needed a screen's height from a line, until they come."""
        self._wants_below = self._wants_below or line + 2 * height >= len(self.rows)
        self._wants_above = self._wants_above or line < height

    def place_of(self, task_id: TaskId | None) -> int | None:
        """Tell at which line a task is; None when it is not loaded."""
        return self._places.get(task_id) if task_id is not None else None

    def hear(self, head: tuple[TaskRow, ...], *, limit: int) -> None:
        """Take note of the head page without moving a row."""
        self._head, self._head_full = head, len(head) >= limit
        if self.has_above:
            return
        self.arrived = sum(row.id not in self._places for row in head)
        self.arrived_more = self.arrived == len(head) >= limit

    def adopt(self) -> list[int]:
        """Put the head page in place of all rows, and tell the lines that now differ."""
        before = self.rows
        self._replace(self._head, has_more=self._head_full, has_above=False)
        return [
            line
            for line in range(max(len(before), len(self.rows)))
            if line >= len(before) or line >= len(self.rows) or before[line] != self.rows[line]
        ]

    def jump(self, page: Sequence[TaskRow], *, limit: int, to_end: bool) -> None:
        """Put a page from anywhere in place of all rows."""
        full = len(page) >= limit
        self._replace(page, has_more=full and not to_end, has_above=full or not to_end)
        self.at_end = to_end
        self._wants_below = self._wants_above = False

    def refresh(self, asked: Collection[TaskId], found: Sequence[TaskRow]) -> list[int]:
        """Put rows that were read anew in their places, and tell the lines that now differ."""
        news = {row.id: row for row in found}
        changed = []
        for task_id in asked:
            line = self._places.get(task_id)
            if line is None:
                continue
            row = news.get(task_id) or self.rows[line].as_deleted()
            if row != self.rows[line]:
                self.rows[line] = row
                changed.append(line)
        return changed

    def extend_below(self, after: TaskId, page: Sequence[TaskRow], *, limit: int) -> int | None:
        """Append the page below the row `after`, and tell how many rows went at the top; None when it came too late."""
        if not self.rows or self.rows[-1].id != after:
            return None
        self._wants_below = False
        self.rows.extend(row for row in page if row.id not in self._places)
        self.has_more = len(page) >= limit
        gone = max(len(self.rows) - WINDOW, 0)
        if gone:
            del self.rows[:gone]
            self.has_above = True
        self._index()
        return gone

    def extend_above(self, above: TaskId, page: Sequence[TaskRow], *, limit: int) -> int | None:
        """Put the page above the row `above` before all rows, and tell how many came; None when it came too late."""
        if not self.rows or self.rows[0].id != above:
            return None
        self._wants_above = False
        news = [row for row in page if row.id not in self._places]
        self.rows[:0] = news
        self.has_above = len(page) >= limit
        if len(self.rows) > WINDOW:
            del self.rows[WINDOW:]
            self.has_more, self.at_end = True, False
        self._index()
        return len(news)

    def _replace(self, rows: Sequence[TaskRow], *, has_more: bool, has_above: bool) -> None:
        self.rows = list(rows)
        self.has_more, self.has_above, self.at_end = has_more, has_above, False
        self.arrived, self.arrived_more = 0, False
        self._index()

    def _index(self) -> None:
        self._places = {row.id: line for line, row in enumerate(self.rows)}
