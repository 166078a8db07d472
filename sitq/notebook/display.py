"""What a person at a notebook reads: snapshots as text and as HTML, and lines that say what happened."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape

from sitq.core import Stats, TaskInfo, TaskStatus

# Readable on light and on dark pages.
_COLORS = {"success": "#2e9e55", "failed": "#d64545", "running": "#2f7fd6", "stalled": "#d6862f"}
_QUIET = "#8a8f98"
_SHOWN = 20  # rows of a table


def say(line: str) -> None:
    """Print a line for the person at the keyboard."""
    print(f"sitq: {line}")  # noqa: T201  # the one place of the library that speaks, and only in a notebook


def task_text(task_id: str, info: TaskInfo | None) -> str:
    """Describe a task on one line; None for one that was not seen."""
    if info is None:
        return f"<task {task_id}>"
    error = f", {info.error}" if info.error else ""
    return f"<task {task_id} {info.name}: {_state(info)}{error}>"


def task_html(task_id: str, info: TaskInfo | None) -> str:
    """Show a task as a line, and its error below."""
    if info is None:
        return f"task <code>{escape(task_id)}</code>"
    error = f'<br><code style="color:{_COLORS["failed"]}">{escape(info.error)}</code>' if info.error else ""
    return f"{_dot(info)} <b>{escape(info.name)}</b> {_state(info)} <code>{escape(task_id)}</code>{_moment()}{error}"


def tasks_text(tasks: Sequence[tuple[str, TaskInfo | None]]) -> str:
    """List tasks, one to a line, the first twenty of them."""
    return "\n".join([task_text(*task) for task in tasks[:_SHOWN]] + _rest(tasks)) or "no tasks"


def tasks_html(tasks: Sequence[tuple[str, TaskInfo | None]]) -> str:
    """Show tasks as a table, the first twenty of them."""
    head = "".join(f'<th style="text-align:left">{name}</th>' for name in ("", "name", "state", "id", "error"))
    rows = "".join(_row(*task) for task in tasks[:_SHOWN])
    return f"<table><tr>{head}</tr>{rows}</table>{''.join(_rest(tasks))}{_moment()}"


def worker_text(path: str, state: str, stats: Stats | None) -> str:
    """Describe a worker and what lies in its store on one line."""
    return f"<BackgroundWorker on {path}: {state}{_counts(stats)}>"


def worker_html(path: str, state: str, stats: Stats | None) -> str:
    """Show a worker and what lies in its store as a line."""
    return f"<b>BackgroundWorker</b> on <code>{escape(path)}</code>: {escape(state)}{_counts(stats)}{_moment()}"


def _row(task_id: str, info: TaskInfo | None) -> str:
    cells: Iterable[str] = ("", "", "", f"<code>{escape(task_id)}</code>", "")
    if info is not None:
        cells = (_dot(info), escape(info.name), _state(info), f"<code>{task_id}</code>", escape(info.error or ""))
    return "<tr>" + "".join(f'<td style="text-align:left">{cell}</td>' for cell in cells) + "</tr>"


def _rest(tasks: Sequence[object]) -> list[str]:
    return [f"… {len(tasks) - _SHOWN} more"] if len(tasks) > _SHOWN else []


def _counts(stats: Stats | None) -> str:
    if stats is None:
        return ""
    return "".join(f", {n} {status}" for status in TaskStatus if (n := stats.count(status)))


def _dot(info: TaskInfo) -> str:
    return f'<span style="color:{_COLORS.get(_phase(info), _QUIET)}">●</span>'


def _moment() -> str:
    return f' <small style="color:{_QUIET}">at {datetime.now():%H:%M:%S}</small>'


def _phase(info: TaskInfo) -> str:
    return info.phase(datetime.now(UTC))


def _state(info: TaskInfo) -> str:
    """Say the phase, and for how long it has lasted, or how long the run was."""
    now = datetime.now(UTC)
    phase = info.phase(now)
    if phase in ("scheduled", "retrying") and info.due_at > now:
        return f"{phase} in {seconds_text((info.due_at - now).total_seconds())}"
    if info.cancel_requested and info.status is TaskStatus.RUNNING:
        phase = "running, to be cancelled"
    begun = info.started_at if info.started_at is not None else info.enqueued_at
    return f"{phase} {seconds_text(((info.finished_at or now) - begun).total_seconds())}"


def seconds_text(seconds: float) -> str:
    """Write a duration in at most two units: "0.3 s", "2 min 5 s", "3 h 0 min"."""
    seconds = max(0.0, seconds)
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
