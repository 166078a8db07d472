"""Rows, details and snapshots as literals, and a source that answers views from them."""

import html
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sitq.core import TaskStatus
from sitq.sanitize import Clean, clean
from sitq.views import Order
from sitq_monitor.app import MonitorApp
from sitq_monitor.deed import Action, Plan, Scope, Tally
from sitq_monitor.format import FACES
from sitq_monitor.model import AttemptRow, Counts, QueueRow, ScheduleRow, TaskDetail, TaskId, TaskRow, WorkerRow
from sitq_monitor.source import News
from sitq_monitor.view import END, Rows, Snapshot, View

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
        "output": Clean("step 1\nstep 2"),
    }
    return TaskDetail(**(facts | overrides))


def make_queue(name: str = "default", **overrides: Any) -> QueueRow:
    facts: dict[str, Any] = dict.fromkeys(("pending", "scheduled", "running", "success", "failed", "cancelled"), 0)
    facts |= {"id": name, "name": clean(name), "paused": False, "oldest_due_at": None}
    return QueueRow(**(facts | overrides))


def make_worker(label: str = "worker-1", **overrides: Any) -> WorkerRow:
    facts: dict[str, Any] = {
        "id": label,
        "label": clean(label),
        "queues": Clean("all"),
        "python": Clean("3.12"),
        "running": 1,
        "capacity": 4,
        "started_at": NOW - timedelta(hours=2),
        "seen_at": NOW - timedelta(seconds=3),
        "alive": True,
    }
    return WorkerRow(**(facts | overrides))


def make_schedule(name: str = "nightly", **overrides: Any) -> ScheduleRow:
    facts: dict[str, Any] = {
        "id": name,
        "name": clean(name),
        "times": Clean("0 8 * * mon-fri Europe/Berlin"),
        "task": Clean("shop.files.clean_up"),
        "queue": Clean("default"),
        "paused": False,
        "next_at": NOW + timedelta(hours=3),
        "last_at": NOW - timedelta(minutes=90),
    }
    return ScheduleRow(**(facts | overrides))


class Still:
    """A source whose rows change only when a test changes them; it remembers what it was asked for.

    Args:
        rows: newest first.
    """

    def __init__(self, rows: Sequence[TaskRow] = ()) -> None:
        self.rows = list(rows)
        self.queues = [make_queue()]
        self.workers = [make_worker()]
        self.schedules = [make_schedule()]
        self.turned: list[tuple[str, bool]] = []
        self.ran: list[str] = []
        self.acts: list[tuple[Action, list[TaskId]]] = []
        self.plans: list[Plan] = []
        self.paused: list[tuple[str, bool]] = []
        self.exports: list[tuple[Path, Scope]] = []
        self.halted = False
        self.rate = 4.0
        self.view = View()
        self._post: Callable[[News], None] = lambda news: None

    def listen(self, post: Callable[[News], None]) -> None:
        self._post = post
        self.tell()

    def look(self, view: View) -> None:
        self.view = view
        self.tell()

    def plan(self, action: Action, scope: Scope) -> None:
        chosen = [row for row in self.rows if row.id in scope.ids] if scope.ids is not None else self._listed(scope)
        left = [row for row in chosen if not action.may(row.status, row.phase)]
        skipped = Counter(row.phase if row.status in action.reaches else row.status.value for row in left)
        self.plans.append(
            Plan(
                action=action,
                scope=scope,
                eligible=len(chosen) - skipped.total(),
                skipped=tuple((phase, skipped[phase]) for phase in FACES if skipped[phase]),
                names=tuple(dict.fromkeys(row.name for row in chosen if action.may(row.status, row.phase))),
                arguments=chosen[0].note if len(chosen) == 1 and not chosen[0].note_is_error else None,
            )
        )
        self._post(self.plans[-1])

    def act(self, plan: Plan) -> None:
        among = plan.scope.ids if plan.scope.ids is not None else [row.id for row in self._listed(plan.scope)]
        reached = [row.id for row in self.rows if row.id in among and plan.action.may(row.status, row.phase)]
        self.acts.append((plan.action, reached))
        self.say(Tally(action=plan.action, asked=len(reached), reached=len(reached)))

    def set_paused(self, queue: str, paused: bool) -> None:
        self.paused.append((queue, paused))

    def set_schedule_paused(self, name: str, paused: bool) -> None:
        self.turned.append((name, paused))

    def run_schedule(self, name: str) -> None:
        self.ran.append(name)

    def export(self, path: Path, scope: Scope) -> None:
        self.exports.append((path, scope))

    def halt(self) -> None:
        self.halted = True

    def say(self, news: News) -> None:
        self._post(news)

    def tell(self, **overrides: Any) -> None:
        """Answer the view anew."""
        self._post(replace(self._answer(), **overrides))

    def arrive(self, *rows: TaskRow) -> None:
        """Let newer rows come in."""
        self.rows[:0] = rows
        self.tell()

    def _answer(self) -> Snapshot:
        view = self.view
        watched = next((row for row in self.rows if row.id == view.task_id), None)
        return Snapshot(
            view=view,
            read_at=NOW,
            counts=self._counts() if view.live else None,
            rows=self._pages(),
            schedules=tuple(self.schedules),
            held=tuple(row for row in self.rows if row.id in view.held) if view.live else None,
            detail=make_detail(watched) if watched else None,
            has_detail=view.task_id is not None,
        )

    def _pages(self) -> Rows:
        view = self.view
        listed = self._listed(view)
        places = {row.id: place for place, row in enumerate(listed)}
        below = above = jumped = None
        if view.after is not None:
            start = places[view.after] + 1
            below = tuple(listed[start : start + view.limit])
        if view.above is not None:
            end = places[view.above]
            above = tuple(listed[max(end - view.limit, 0) : end])
        if isinstance(view.jump, float):
            start = len(listed) - view.limit if view.jump == END else int(len(listed) * view.jump)
            jumped = tuple(listed[max(start, 0) :][: view.limit])
        head = tuple(listed[: view.limit]) if view.live else None
        matches = None if view.filter.is_plain else len(listed)
        return Rows(head=head, below=below, over=above, jumped=jumped, matches=matches)

    def _listed(self, of: View | Scope) -> list[TaskRow]:
        filter = of.filter
        found = [
            row
            for row in self.rows
            if filter.status in (None, row.status)
            and (filter.text or "") in row.name
            and filter.queue in (None, row.queue)
            and (filter.since is None or row.enqueued_at >= filter.since)
        ]
        return found[::-1] if isinstance(of, View) and of.order is Order.OLDEST else found

    def _counts(self) -> Counts:
        numbers = tuple((status, sum(row.status is status for row in self.rows)) for status in TaskStatus)
        return Counts(tasks=numbers, queues=tuple(self.queues), workers=tuple(self.workers))


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
