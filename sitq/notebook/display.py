"""What a person at a notebook reads: snapshots as text and as HTML, and lines that say what happened."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from types import MappingProxyType
from typing import NamedTuple

from sitq.core import TaskStatus
from sitq.sanitize import BLOCK_LIMIT, clean_block
from sitq.views import Stats, TaskInfo

Row = tuple[str, TaskInfo | None]  # a task's id, and what was seen of it

# Readable on light and on dark pages.
_COLORS = {"success": "#2e9e55", "failed": "#d64545", "running": "#2f7fd6", "stalled": "#c77718"}
_QUIET = "#757a83"
_BLANK = "#8883"  # what is not done yet of a bar
_SHOWN = 20  # rows of a table
ROW_HEIGHT = 28  # pixels, of a line of the live panel and the button beside it
# Of a table's columns: a long name is broken where it must be, a state stays on one line.
_CELL_STYLES = ("", "min-width:12em;overflow-wrap:anywhere", "white-space:nowrap", "", "")
_NAME_WIDTH, _BAR_WIDTH, _STATE_WIDTH = "220px", "150px", "480px"  # columns of a panel
# A line that is cut where its column ends. It asks for no width of its own, or a long word would widen the column.
_ONE_LINE = "width:0;min-width:100%;overflow:hidden;text-overflow:ellipsis;white-space:nowrap"
_COLUMNS = f"minmax(0,{_NAME_WIDTH}) {_BAR_WIDTH} minmax(0,{_STATE_WIDTH})"


def say(line: str) -> None:
    """Print a line for the person at the keyboard."""
    print(f"sitq: {line}")  # noqa: T201  # the one place of the library that speaks, and only in a notebook


def show_text(text: str) -> None:
    """Print the end of what a task or a worker wrote, with all visible that would act on a terminal."""
    print(clean_block(text[-BLOCK_LIMIT:]).removesuffix("\n"))  # noqa: T201  # likewise


def task_text(task_id: str, info: TaskInfo | None, now: datetime) -> str:
    """Describe a task on one line."""
    if info is None:
        return f"<task {task_id}>"
    error = f", {info.error}" if info.error else ""
    return f"<task {task_id} {info.name}: {_state(info, now)}{error}>"


def task_html(task_id: str, info: TaskInfo | None, now: datetime) -> str:
    """Show a task as a line, and its error below."""
    if info is None:
        return f"task <code>{escape(task_id)}</code>"
    error = f'<br><code style="color:{_COLORS["failed"]}">{escape(info.error)}</code>' if info.error else ""
    what = f"{_dot(info, now)} <b>{escape(info.name)}</b> {_state(info, now)} <code>{escape(task_id)}</code>"
    return what + _at(now) + error


def tasks_text(tasks: Sequence[Row], now: datetime) -> str:
    """List tasks, one to a line, the first twenty of them."""
    return "\n".join([task_text(*task, now) for task in tasks[:_SHOWN]] + _rest(tasks)) or "no tasks"


def tasks_html(tasks: Sequence[Row], now: datetime) -> str:
    """Show tasks as a table, the first twenty of them."""
    head = "".join(f'<th style="text-align:left">{name}</th>' for name in ("", "name", "state", "id", "error"))
    rows = "".join(_row(*task, now) for task in tasks[:_SHOWN])
    return f"<table><tr>{head}</tr>{rows}</table>{''.join(_rest(tasks))}{_at(now)}"


def worker_text(path: str, state: str, stats: Stats | None) -> str:
    """Describe a worker and what lies in its store on one line."""
    return f"<BackgroundWorker on {path}: {state}{_counts(stats)}>"


def worker_html(path: str, state: str, stats: Stats | None, now: datetime) -> str:
    """Show a worker and what lies in its store as a line."""
    return f"<b>BackgroundWorker</b> on <code>{escape(path)}</code>: {escape(state)}{_counts(stats)}{_at(now)}"


class Glance(NamedTuple):
    """What a panel shows at one moment.

    Attributes:
        tasks: the first of them, each with its line.
        headline: about all of them, in a few words.
        done: how much of them is done, from 0 to 1; None where that says nothing.
        usual: seconds that tasks of a name usually take, for those that do not tell their progress.
        worker: id of the one beside this kernel; what others run says on which of them.
    """

    tasks: Sequence[TaskInfo]
    headline: str
    done: float | None = None
    usual: Mapping[str, float] = MappingProxyType({})
    worker: str | None = None


def panel_text(glance: Glance, now: datetime) -> str:
    """List tasks and the headline as a panel does."""
    return "\n".join([glance.headline, *(task_text(info.id, info, now) for info in glance.tasks)])


def panel_html(glance: Glance, now: datetime) -> str:
    """Show tasks with their progress as a table, below the headline."""
    rows = "".join(
        f'<tr><td style="text-align:left;width:{_NAME_WIDTH}">{name}</td><td>{_bar(part_done(info))}</td>'
        f'<td style="text-align:left;width:{_STATE_WIDTH}">{state}</td></tr>'
        for info in glance.tasks
        for name, state in (state_of(info, now, glance),)
    )
    return headline_html(glance) + (f"<table>{rows}</table>" if rows else "")


def panel_lines(glance: Glance, now: datetime) -> str:
    """Show what `panel_html` does in lines of one height, so that buttons can stand beside them."""
    rows = "".join(
        f'<div class="sitq-row" style="display:grid;grid-template-columns:{_COLUMNS};column-gap:8px;'
        f'height:{ROW_HEIGHT}px">{name}{_drawn_bar(info, now)}{state}</div>'
        for info in glance.tasks
        for name, state in (state_of(info, now, glance),)
    )
    headline = _one_line(headline_html(glance), glance.headline)
    return f'<div style="line-height:{ROW_HEIGHT}px"><div style="height:{ROW_HEIGHT}px">{headline}</div>{rows}</div>'


def headline_html(glance: Glance) -> str:
    return f"{_bar(glance.done)} {escape(glance.headline)}".strip()


def counts_text(stats: Stats | None) -> str:
    """Write the counts of all statuses that occur."""
    return _counts(stats).removeprefix(", ") or "no tasks"


def part_done(info: TaskInfo) -> float | None:
    """Tell how much of a task is done, from 0 to 1; None when it does not say."""
    if info.status is TaskStatus.SUCCESS:
        return 1.0
    progress = info.progress
    if progress is None or not progress.total or progress.done is None:
        return None
    return min(1.0, progress.done / progress.total)


def state_of(info: TaskInfo, now: datetime, glance: Glance) -> tuple[str, str]:
    """Write a task's name and what it is doing as HTML, each on a line that is cut where its column ends."""
    parts = [_state(info, now)]
    if info.status is TaskStatus.RUNNING:
        if left := _left_text(info, now, glance.usual.get(info.name)):
            parts.append(left)
        if info.worker != glance.worker and glance.worker is not None:
            parts.append(f"on {escape(str(info.worker))}")
    if info.progress is not None and info.progress.message and not info.status.is_final:
        parts.append(escape(info.progress.message))
    if info.error:
        parts.append(f'<span style="color:{_COLORS["failed"]}">{escape(info.error[:80])}</span>')
    name = f"{_dot(info, now)} <b>{escape(info.name)}</b>"
    return _one_line(name, info.name), _one_line(", ".join(parts), info.error or "")


def _one_line(html: str, tip: str) -> str:
    return f'<div title="{escape(tip)}" style="{_ONE_LINE}">{html}</div>'


def time_left(info: TaskInfo, now: datetime) -> float | None:
    """Seconds that a running task will take at the pace that it has had; None when it does not tell its progress."""
    progress = info.progress
    if progress is None or not progress.done or not progress.total or info.started_at is None:
        return None
    elapsed = (now - info.started_at).total_seconds()
    return max(0.0, elapsed * (progress.total - progress.done) / progress.done)


def _left_text(info: TaskInfo, now: datetime, usual: float | None) -> str:
    left = time_left(info, now)
    if left is not None:
        return f"{duration_text(left)} left"
    if usual is None or info.started_at is None:
        return ""
    left = usual - (now - info.started_at).total_seconds()
    return f"about {duration_text(left)} left" if left > 0 else f"longer than the usual {duration_text(usual)}"


def _bar(done: float | None) -> str:
    return "" if done is None else f'<progress max="1" value="{done:.3f}"></progress>'


def _drawn_bar(info: TaskInfo, now: datetime) -> str:
    """Draw a bar in the colour of the task's state; front ends draw `progress` each in their own."""
    color = _COLORS.get(info.phase(now), _QUIET)
    width = f"{100 * (part_done(info) or 0.0):.1f}%"
    return (
        f'<div style="margin:7px 0;background:{_BLANK};border-radius:2px">'
        f'<div class="sitq-bar" style="width:{width};height:100%;background:{color};border-radius:2px"></div></div>'
    )


def _row(task_id: str, info: TaskInfo | None, now: datetime) -> str:
    key = f"<code>{escape(task_id)}</code>"
    cells = ["", "", "", key, ""]
    if info is not None:
        cells = [_dot(info, now), escape(info.name), _state(info, now), key, escape(info.error or "")]
    columns = zip(_CELL_STYLES, cells, strict=True)
    return "<tr>" + "".join(f'<td style="text-align:left;{style}">{cell}</td>' for style, cell in columns) + "</tr>"


def _rest(tasks: Sequence[object]) -> list[str]:
    return [f"… {len(tasks) - _SHOWN} more"] if len(tasks) > _SHOWN else []


def _counts(stats: Stats | None) -> str:
    if stats is None:
        return ""
    return "".join(f", {n} {status}" for status in TaskStatus if (n := stats.count(status)))


def _dot(info: TaskInfo, now: datetime) -> str:
    return f'<span style="color:{_COLORS.get(info.phase(now), _QUIET)}">●</span>'


def _at(now: datetime) -> str:
    return f' <small style="color:{_QUIET}">at {now.astimezone():%H:%M:%S}</small>'


def _state(info: TaskInfo, now: datetime) -> str:
    """Say the phase, and for how long it has lasted, or how long the run was."""
    phase = info.phase(now)
    if phase in ("scheduled", "retrying") and info.due_at > now:
        return f"{phase} in {duration_text((info.due_at - now).total_seconds())}"
    if info.cancel_requested and info.status is TaskStatus.RUNNING:
        phase = "to be cancelled, running"
    begun = info.started_at if info.started_at is not None else info.enqueued_at
    waits = f", waits for {info.waits_for}" if phase == "blocked" else ""
    return f"{phase} {duration_text(((info.finished_at or now) - begun).total_seconds())}{waits}"


def duration_text(seconds: float) -> str:
    """Write a duration in at most two units: "0.3 s", "2 min 5 s", "3 h 0 min"."""
    seconds = max(0.0, seconds)  # clocks of two machines may differ
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
