"""Rows, details and snapshots as literals, and a source that answers views from them."""

import html
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sitq.core import TaskStatus
from sitq.sanitize import Clean, clean
from sitq_monitor.app import MonitorApp
from sitq_monitor.model import Action, AttemptRow, Counts, Outcome, Snapshot, TaskDetail, TaskId, TaskRow, View

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FINAL = (TaskStatus.SUCCESS, TaskStatus.FAILED, TaskStatus.CANCELLED)
TRACEBACK = """\
Traceback (most recent call last):
  File "/home/ada/shop/feeds.py", line 84, in sync
    parse(line)
ValueError: bad row
"""


def make_row(number: int = 1, status: TaskStatus = TaskStatus.PENDING, **overrides: Any) -> TaskRow:
    """A row whose id, name and age follow from its number; higher numbers are newer."""
    enqueued_at = NOW - timedelta(seconds=1000 - number)
    has_begun = status is not TaskStatus.PENDING
    facts: dict[str, Any] = {
        "id": TaskId(f"id-{number:04}"),
        "label": Clean(f"id-{number:04}"),
        "name": Clean(f"task_{number:04}"),
        "queue": Clean("default"),
        "status": status,
        "phase": Clean(status.value),
        "attempt": int(has_begun),
        "max_attempts": 3,
        "enqueued_at": enqueued_at,
        "started_at": enqueued_at + timedelta(seconds=1) if has_begun else None,
        "finished_at": enqueued_at + timedelta(seconds=3) if status in FINAL else None,
        "note": Clean("ValueError: bad row" if status is TaskStatus.FAILED else f"(x={number})"),
        "note_is_error": status is TaskStatus.FAILED,
        "cancel_requested": False,
    }
    return TaskRow(**(facts | overrides))


def make_rows(count: int, status: TaskStatus = TaskStatus.PENDING) -> list[TaskRow]:
    """So many rows, newest first, as the store lists them."""
    return [make_row(number, status) for number in range(count, 0, -1)]


def make_detail(row: TaskRow, **overrides: Any) -> TaskDetail:
    failed = row.status is TaskStatus.FAILED
    attempt = AttemptRow(
        number=1,
        cause=Clean("error" if failed else "success"),
        worker=Clean("worker-1"),
        started_at=row.started_at,
        finished_at=row.finished_at,
        error=row.note if failed else Clean(""),
    )
    facts: dict[str, Any] = {
        "row": row,
        "full_id": clean(row.id),
        "due_at": row.enqueued_at,
        "facts": (("queue", row.queue), ("tags", Clean("nightly, eu"))),
        "arguments": Clean("('supplier', full=True)"),
        "attempts": (attempt,) if row.started_at else (),
        "traceback": Clean(TRACEBACK if failed else ""),
        "traceback_of": int(failed),
    }
    return TaskDetail(**(facts | overrides))


class Still:
    """A source whose rows change only when a test changes them; it remembers what it was asked for.

    Args:
        rows: newest first.
    """

    def __init__(self, rows: Sequence[TaskRow] = ()) -> None:
        self.rows = list(rows)
        self.acts: list[tuple[Action, list[TaskId]]] = []
        self.view = View()
        self._post: Callable[[Snapshot | Outcome], None] = lambda news: None

    def listen(self, post: Callable[[Snapshot | Outcome], None]) -> None:
        self._post = post
        self.tell()

    def look(self, view: View) -> None:
        self.view = view
        self.tell()

    def act(self, action: Action, ids: Collection[TaskId]) -> None:
        self.acts.append((action, list(ids)))
        self._post(Outcome(action=action, asked=len(ids), reached=len(ids)))

    def tell(self, **overrides: Any) -> None:
        """Answer the view anew."""
        self._post(replace(self._answer(), **overrides))

    def arrive(self, *rows: TaskRow) -> None:
        """Let newer rows come in."""
        self.rows[:0] = rows
        self.tell()

    def _answer(self) -> Snapshot:
        view = self.view
        listed = [row for row in self.rows if view.status in (None, row.status)]
        places = {row.id: place for place, row in enumerate(listed)}
        tail = None
        if view.before is not None:
            after = places[view.before] + 1
            tail = tuple(listed[after : after + view.limit])
        watched = next((row for row in self.rows if row.id == view.task_id), None)
        return Snapshot(
            view=view,
            read_at=NOW,
            counts=self._counts() if view.live else None,
            head=tuple(listed[: view.limit]) if view.live else (),
            held=tuple(row for row in self.rows if row.id in view.held) if view.live else (),
            tail=tail,
            detail=make_detail(watched) if watched else None,
        )

    def _counts(self) -> Counts:
        numbers = tuple((status, sum(row.status is status for row in self.rows)) for status in TaskStatus)
        return Counts(tasks=numbers, workers=1)


def make_app(source: Still, **options: Any) -> MonitorApp:
    return MonitorApp(source, **({"path": "/data/tasks.db", "clock": lambda: NOW} | options))


_TEXT = re.compile(r'<text class="[^"]*-r\d+" x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)</text>')
_CELL = 12.2


def screen_lines(app: MonitorApp) -> list[str]:
    """Read what is on the screen, from the picture that Textual makes of it."""
    lines: dict[float, str] = {}
    for x, y, text in _TEXT.findall(app.export_screenshot()):
        before = lines.get(float(y), "")
        lines[float(y)] = before.ljust(round(float(x) / _CELL)) + html.unescape(text).replace("\xa0", " ")
    return [lines[y].rstrip() for y in sorted(lines)]


def screen(app: MonitorApp) -> str:
    return "\n".join(screen_lines(app))
