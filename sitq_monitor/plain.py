"""The monitor without a screen: one snapshot as a table for people and pipes, or as JSON for programs."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sitq.core import TaskStatus
from sitq_monitor.format import age, duration, face
from sitq_monitor.model import Counts, TaskRow
from sitq_monitor.view import Snapshot

TITLES = ("STATE", "ID", "TASK", "QUEUE", "TRY", "AGE", "TOOK", "ERROR / ARGUMENTS")


def as_table(snapshot: Snapshot) -> Iterator[str]:
    """Write the counts and the newest tasks, a line each."""
    lines = [TITLES, *(_line(row, snapshot.read_at) for row in _head(snapshot))]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    yield _counts_line(snapshot.counts or Counts())
    yield ""
    for line in lines:
        yield "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()


def as_json(snapshot: Snapshot) -> str:
    """Write the same for programs: durations in seconds, moments in ISO 8601, ASCII only."""
    counts = snapshot.counts or Counts()
    told = {
        "read_at": snapshot.read_at,
        "counts": dict(counts.tasks),
        "approximate": counts.approximate,
        "workers": counts.alive,
        "tasks": [_fields(row, snapshot.read_at) for row in _head(snapshot)],
    }
    return json.dumps(told, default=datetime.isoformat, indent=2)


def _head(snapshot: Snapshot) -> tuple[TaskRow, ...]:
    return (snapshot.rows.head if snapshot.rows else None) or ()


def _counts_line(counts: Counts) -> str:
    numbers = (f"{counts.of(status)} {status}" for status in TaskStatus)
    return f"{', '.join(numbers)}; {counts.alive} worker{'s' if counts.alive != 1 else ''}"


def _line(row: TaskRow, now: datetime) -> tuple[str, ...]:
    look, seconds = face(row.phase), row.seconds_run(now)
    return (
        f"{look.glyph} {look.word}",
        row.label,
        row.name,
        row.queue,
        f"{row.attempt}/{row.max_attempts}",
        age((now - row.enqueued_at).total_seconds()),
        duration(seconds) if seconds is not None else "",
        row.note,
    )


def _fields(row: TaskRow, now: datetime) -> dict[str, Any]:
    fields = asdict(row)
    del fields["label"], fields["note"], fields["note_is_error"]
    note = "error" if row.note_is_error else "arguments"
    return fields | {note: row.note, "seconds_run": row.seconds_run(now)}
