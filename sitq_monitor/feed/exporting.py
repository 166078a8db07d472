"""Writes tasks to a file of JSON lines or CSV. Nothing that a spreadsheet or a terminal would obey gets into it."""

import csv
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from sitq.inspector import Inspector
from sitq.sanitize import ARGUMENTS_LIMIT, Clean, clean
from sitq.views import TaskInfo
from sitq_monitor.deed import Done, Progress, Scope
from sitq_monitor.feed.deeds import Report, pages

_FORMULA = ("=", "+", "-", "@")

Fact = str | int | float | None
_Write = Callable[[TextIO, list[dict[str, Fact]]], None]


async def export(inspector: Inspector, path: Path, scope: Scope, report: Report) -> Done:
    """Write the tasks of a scope to a new file, which only its owner can read."""
    write: _Write = _write_csv if path.suffix.lower() == ".csv" else _write_json_lines
    number = 0
    try:
        with _new_file(path) as file:
            async for page in pages(inspector, scope):
                write(file, [facts_of(info) for info in page])
                number += len(page)
                report.tell(Progress(what=Clean("export"), done=number, of=None))
                if report.is_halted():
                    break
    except OSError as exc:
        return Done(words=clean(f"{path} cannot be written: {exc.strerror}"), failed=True)
    stopped = ", stopped before the end" if report.is_halted() else ""
    return Done(words=clean(f"{number:,} tasks written to {path}{stopped}"))


def facts_of(info: TaskInfo) -> dict[str, Fact]:
    """Write a task down: durations in seconds, moments in ISO 8601."""
    now = datetime.now(UTC)
    return {
        "id": clean(info.id),
        "name": clean(info.name),
        "queue": clean(info.queue),
        "status": info.status.value,
        "phase": info.phase(now),
        "attempt": info.attempt,
        "max_attempts": info.max_attempts,
        "priority": info.priority,
        "enqueued_at": info.enqueued_at.isoformat(),
        "started_at": info.started_at.isoformat() if info.started_at else None,
        "finished_at": info.finished_at.isoformat() if info.finished_at else None,
        "worker": clean(info.worker) if info.worker else None,
        "key": clean(info.key) if info.key else None,
        "tags": clean(", ".join(info.tags), ARGUMENTS_LIMIT),
        "arguments": clean(info.arguments or "", ARGUMENTS_LIMIT),
        "error": clean(info.error or "", ARGUMENTS_LIMIT),
    }


def _new_file(path: Path) -> TextIO:
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    return os.fdopen(descriptor, "w", encoding="utf-8", newline="")


def _write_json_lines(file: TextIO, rows: list[dict[str, Fact]]) -> None:
    file.writelines(json.dumps(row) + "\n" for row in rows)


def _write_csv(file: TextIO, rows: list[dict[str, Fact]]) -> None:
    writer = csv.writer(file)
    if rows and not file.tell():
        writer.writerow(rows[0])
    writer.writerows([_harmless(fact) for fact in row.values()] for row in rows)


def _harmless(fact: Fact) -> Fact:
    """Keep spreadsheets from taking a text for a formula."""
    return f"'{fact}" if isinstance(fact, str) and fact.startswith(_FORMULA) else fact
