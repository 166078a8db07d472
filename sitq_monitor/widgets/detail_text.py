"""What the pane of one task says, section by section."""

from collections.abc import Iterator
from datetime import datetime

from sitq_monitor.format import duration, face, moment, ticking
from sitq_monitor.model import AttemptRow, TaskDetail, TaskRow
from sitq_monitor.widgets.paint import Part

LABEL_WIDTH = 11
LINE_WIDTH = 24
"""Cells of the line on which the attempts stand in time."""
_GLYPHS = {"success": "✓", "running": "▸", "cancelled": "⊘", "released": "↻", "snoozed": "↻", "lost": "!"}
_STYLES = {"success": "success", "running": "running", "cancelled": "muted", "released": "muted", "snoozed": "muted"}


def overview_parts(detail: TaskDetail, now: datetime) -> Iterator[Part]:
    """Tell what matters most."""
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


def arguments_parts(detail: TaskDetail) -> Iterator[Part]:
    if detail.arguments:
        yield from title("Arguments")
        yield f"{detail.arguments}\n", "name"


def output_parts(detail: TaskDetail) -> Iterator[Part]:
    """Tell the end of what the task has written."""
    if detail.output:
        yield from title("Output")
        yield f"{detail.output}\n", "name"


def attempts_parts(detail: TaskDetail, now: datetime) -> Iterator[Part]:
    """Tell what happened in each attempt, and when beside the others."""
    if not detail.attempts:
        return
    yield from title("Attempts")
    begin = detail.row.enqueued_at
    end = max((attempt.finished_at or now for attempt in detail.attempts), default=now)
    several = len({attempt.worker for attempt in detail.attempts}) > 1
    for attempt in detail.attempts:
        yield from _attempt(attempt, begin, end, now)
        if several and attempt.worker:
            yield f"   on {attempt.worker}\n", "faint"
        if attempt.error and attempt.error != detail.row.note:
            yield f"   {attempt.error}\n", "muted"


def title(text: str) -> Iterator[Part]:
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


def _attempt(attempt: AttemptRow, begin: datetime, end: datetime, now: datetime) -> Iterator[Part]:
    style = _STYLES.get(attempt.cause, "failed")
    yield f"{attempt.number:>2} ", "muted"
    yield f"{_GLYPHS.get(attempt.cause, '✗')} {attempt.cause:<10}", style
    yield f"{moment(attempt.started_at, now)} ", "name"
    if attempt.started_at and attempt.finished_at:
        yield f"{duration((attempt.finished_at - attempt.started_at).total_seconds()):>6}", "name"
    else:
        yield " " * 6, ""
    before, during, after = _line(attempt, begin, end)
    yield f"  {before}", "faint"
    yield during, style
    yield f"{after}\n", "faint"


def _line(attempt: AttemptRow, begin: datetime, end: datetime) -> tuple[str, str, str]:
    """Place an attempt on a line that reaches from the task's arrival to its last end."""
    whole = (end - begin).total_seconds()
    if attempt.started_at is None or whole <= 0:
        return "─" * LINE_WIDTH, "", ""
    start = _cell((attempt.started_at - begin).total_seconds() / whole)
    stop = max(_cell(((attempt.finished_at or end) - begin).total_seconds() / whole), start + 1)
    return "─" * start, "█" * (stop - start), "─" * (LINE_WIDTH - stop)


def _cell(part: float) -> int:
    return min(max(int(part * LINE_WIDTH), 0), LINE_WIDTH - 1)
