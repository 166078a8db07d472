"""The pane that tells all about one task: what it is, its attempts, and the traceback of the one that failed."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from sitq_monitor.format import duration, face, moment, ticking
from sitq_monitor.keys import DETAIL_KEYS
from sitq_monitor.model import AttemptRow, TaskDetail, TaskRow
from sitq_monitor.widgets.bindings import bindings
from sitq_monitor.widgets.paint import CLASSES, Part, write
from sitq_monitor.widgets.task_table import TICK, utc_now
from sitq_monitor.widgets.traceback_view import traceback_parts

LABEL_WIDTH = 11


class DetailPane(VerticalScroll):
    """Shows one task and scrolls; what it says of time goes on while the task runs."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(DETAIL_KEYS)

    def __init__(self, *, id: str, clock: Callable[[], datetime] = utc_now) -> None:
        super().__init__(id=id)
        self._clock = clock
        self._detail: TaskDetail | None = None
        self._drawn: list[Part] = []
        self._text = DetailText(markup=False)

    def compose(self) -> ComposeResult:
        yield self._text

    def on_mount(self) -> None:
        self.set_interval(TICK, self._draw)

    def show(self, detail: TaskDetail | None) -> None:
        """Show this task from now on; another task is shown from its top."""
        old, self._detail = self._detail, detail
        if old is None or detail is None or old.row.id != detail.row.id:
            self.scroll_to(y=0, animate=False)
        self._draw()

    def _draw(self) -> None:
        parts = list(detail_parts(self._detail, self._clock())) if self._detail else [("no task", "faint")]
        if parts != self._drawn:
            self._drawn = parts
            self._text.update(write(self._text, parts).rstrip())


class DetailText(Static):
    """The text of the pane, which can be selected and copied."""

    COMPONENT_CLASSES: ClassVar[set[str]] = CLASSES


def detail_parts(detail: TaskDetail, now: datetime) -> Iterator[Part]:
    """Tell all about a task, from what matters most on."""
    row = detail.row
    look = face(row.phase)
    yield f"{look.glyph} {look.word}  ", look.style
    yield f"{row.name}\n", "strong"
    if row.note_is_error:
        yield f"{row.note}\n", "failed"
    yield "\n", ""
    yield from _fact("id", detail.full_id)
    for name, value in detail.facts:
        yield from _fact(name, value)
    yield from _times(detail, now)
    if detail.arguments:
        yield from _title("Arguments")
        yield f"{detail.arguments}\n", "name"
    if detail.traceback:
        yield from _title(f"Traceback of attempt {detail.traceback_of}")
        yield from traceback_parts(detail.traceback)
    if detail.attempts:
        yield from _title("Attempts")
        for attempt in detail.attempts:
            yield from _attempt(attempt, now)
            if attempt.error and attempt.error != row.note:
                yield f"   {attempt.error}\n", "muted"


def _title(text: str) -> Iterator[Part]:
    yield f"\n{text}\n", "title"


def _fact(name: str, value: str, style: str = "name") -> Iterator[Part]:
    yield f"{name:<{LABEL_WIDTH}}", "muted"
    yield f"{value}\n", style


def _times(detail: TaskDetail, now: datetime) -> Iterator[Part]:
    row = detail.row
    yield from _fact("enqueued", moment(row.enqueued_at, now))
    if row.phase in ("scheduled", "retrying") and detail.due_at > now:
        wait = ticking((detail.due_at - now).total_seconds())
        yield from _fact("due", f"{moment(detail.due_at, now)} · in {wait}", "warning")
    if row.started_at and row.phase not in ("pending", "scheduled"):
        waited = duration((row.started_at - row.enqueued_at).total_seconds())
        after = f" · after {waited}" if row.attempt == 1 else ""
        yield from _fact("started", moment(row.started_at, now) + after)
    yield from _ending(row, now)


def _ending(row: TaskRow, now: datetime) -> Iterator[Part]:
    seconds = row.seconds_run(now)
    if row.finished_at:
        ran = f" · ran {duration(seconds)}" if seconds is not None else ""
        yield from _fact("finished", f"{moment(row.finished_at, now)}{ran}")
    elif seconds is not None:
        yield from _fact("running", f"for {ticking(seconds)}", "running")


def _attempt(attempt: AttemptRow, now: datetime) -> Iterator[Part]:
    style = {"success": "success", "running": "running", "cancelled": "muted", "released": "muted"}
    yield f"{attempt.number:>2} ", "muted"
    yield f"{attempt.cause:<10}", style.get(attempt.cause, "failed")
    yield f"{moment(attempt.started_at, now)}", "name"
    if attempt.started_at and attempt.finished_at:
        yield f" {duration((attempt.finished_at - attempt.started_at).total_seconds()):>6}", "name"
    yield f"  {attempt.worker}\n", "faint"
