"""The rows of the table and how they change: pushed by news while following, held still otherwise."""

from collections.abc import Collection, Sequence

from sitq_monitor.model import TaskId, TaskRow


class Listing:
    """Rows in the order of the store, newest first, each known by its task.

    Attributes:
        rows: what is loaded.
        has_more: the store may hold older ones.
        arrived: tasks of the newest page that are not among the rows.
        arrived_more: the newest page held none of the rows, so that there may be more than `arrived`.
    """

    def __init__(self) -> None:
        self.rows: list[TaskRow] = []
        self.has_more = False
        self.arrived = 0
        self.arrived_more = False
        self._newest: tuple[TaskRow, ...] = ()
        self._page_full = False
        self._places: dict[TaskId, int] = {}

    def place_of(self, task_id: TaskId | None) -> int | None:
        """Tell at which line a task is; None when it is not loaded."""
        return self._places.get(task_id) if task_id is not None else None

    def hear(self, head: tuple[TaskRow, ...], *, limit: int) -> None:
        """Take note of the newest page without moving a row."""
        self._newest, self._page_full = head, len(head) >= limit
        self.arrived = sum(row.id not in self._places for row in head)
        self.arrived_more = self.arrived == len(head) >= limit

    def adopt(self) -> list[int]:
        """Put the newest page in place of all rows, and tell the lines that now differ."""
        before, self.rows = self.rows, list(self._newest)
        self.has_more, self.arrived, self.arrived_more = self._page_full, 0, False
        self._index()
        return [
            line
            for line in range(max(len(before), len(self.rows)))
            if line >= len(before) or line >= len(self.rows) or before[line] != self.rows[line]
        ]

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

    def extend(self, before: TaskId, page: Sequence[TaskRow], *, limit: int) -> bool:
        """Append the page that comes after the row `before`, and tell whether it still was the last one."""
        if not self.rows or self.rows[-1].id != before:
            return False
        self.rows.extend(row for row in page if row.id not in self._places)
        self.has_more = len(page) >= limit
        self._index()
        return True

    def _index(self) -> None:
        self._places = {row.id: line for line, row in enumerate(self.rows)}
