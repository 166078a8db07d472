"""The lines above and below the table, and what they have been told."""

from typing import Any

from rich.cells import cell_len

from sitq.sanitize import Clean, clean, without_password
from sitq_monitor import phrases
from sitq_monitor.keys import footer
from sitq_monitor.looking import Looking
from sitq_monitor.model import Counts, Pulse
from sitq_monitor.phrases import Parts
from sitq_monitor.view import MATCH_LIMIT, Snapshot
from sitq_monitor.widgets.key_bar import KeyBar
from sitq_monitor.widgets.line import Line
from sitq_monitor.widgets.task_table import TaskTable

PATH_LIMIT = 120
TALKATIVE = 76
"""Columns from which the line of the store also tells how fast tasks end."""


class Footing:
    """Keeps what the lines tell besides what they read off table and tabs.

    Attributes:
        note: what was done last, or stands in its way; () lets the line tell of rows that wait.
    """

    def __init__(self, path: str, *, read_only: bool) -> None:
        self.status, self.filter, self.hint = Line(id="status"), Line(id="filter"), Line(id="hint")
        self.keys = KeyBar(id="keys")
        self.note: Parts = ()
        self._path: Clean = clean(without_password(path), PATH_LIMIT)
        self._read_only = read_only
        self._counts, self._pulse = Counts(), Pulse()
        self._matches: int | None = None
        self._trouble: Clean | None = None

    def take(self, snapshot: Snapshot, *, has_same_list: bool) -> None:
        """Take note of what a snapshot tells."""
        self._trouble = snapshot.trouble
        self._counts = snapshot.counts or self._counts
        self._pulse = snapshot.pulse or self._pulse
        if has_same_list and snapshot.rows is not None and snapshot.rows.head is not None:
            self._matches = snapshot.rows.matches

    def start_over(self) -> None:
        """Forget what was told of another list."""
        self.note, self._matches = (), None

    def say(self, table: TaskTable, looking: Looking, *, place: str, rate: float) -> None:
        """Bring the lines up to date."""
        self.keys.keys = footer(place, read_only=self._read_only)
        self.status.say(
            phrases.status_parts(path=self._path, trouble=self._trouble, live=looking.live, rate=rate),
            () if self._trouble else (*self._pulse_parts(), *self._rights_parts()),
        )
        self.filter.say(
            phrases.filter_parts(clean(looking.text)), phrases.matches_parts(self._matches_of(looking), looking.order)
        )
        listing = table.listing
        waiting = phrases.arrived_parts(listing.arrived, more=listing.arrived_more, has_above=listing.has_above)
        of_tasks = place in ("list", "task")
        where = phrases.place_parts(**self._place(table, looking)) if of_tasks else ()
        self.hint.say(self.note or (waiting if of_tasks else ()), () if self._note_needs_all(where) else where)

    def _note_needs_all(self, others: Parts) -> bool:
        """Tell whether the note has no room beside others: then it has the line alone."""
        return bool(self.note) and sum(cell_len(text) for text, _ in (*self.note, *others)) >= self.hint.size.width

    def _rights_parts(self) -> Parts:
        return phrases.rights_parts(self._counts, read_only=self._read_only)

    def _pulse_parts(self) -> Parts:
        width = self.status.size.width
        has_dashboard = self.status.screen.has_class("-tall") and self.status.screen.has_class("-wide")
        if has_dashboard or width < TALKATIVE:
            return ()
        return phrases.pulse_parts(self._pulse, width - len(self._path) - 46)

    def _matches_of(self, looking: Looking) -> int | None:
        return None if looking.filter.is_plain else self._matches

    def _place(self, table: TaskTable, looking: Looking) -> dict[str, Any]:
        listing, rows = table.listing, len(table.listing.rows)
        total = self._total(looking)
        row: int | None = None
        if rows and not listing.has_above:
            row = table.cursor_line + 1
        elif rows and listing.at_end and total is not None:
            row = total - rows + table.cursor_line + 1
        return {
            "row": row,
            "total": f"{max(total, rows):,}" if total is not None else f"{MATCH_LIMIT:,}+",
            "marked": len(table.marks),
            "all_marked": table.marks.are_all,
            "following": table.following,
        }

    def _total(self, looking: Looking) -> int | None:
        if looking.filter.is_plain:
            return self._counts.of(looking.filter.status)
        return self._matches if self._matches is not None and self._matches < MATCH_LIMIT else None
