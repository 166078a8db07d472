"""The columns of the tables of workers, queues and schedules."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sitq_monitor.bars import lying
from sitq_monitor.columns import GAP, GUTTER, Cell, Column, Draw, field
from sitq_monitor.format import age, count
from sitq_monitor.model import QueueRow, ScheduleRow, WorkerRow

SLOTS = 16
"""Places of a worker that are drawn one by one; of more a bar is drawn."""


def _number(name: str, style: str) -> Draw:
    """Count what a field of the row counts; nothing stays pale."""

    def draw(row: object, now: datetime) -> Cell:
        number = getattr(row, name)
        return Cell(count(number), style if number else "faint")

    return draw


def _worker_state(row: WorkerRow, now: datetime) -> Cell:
    if not row.alive:
        return Cell("! silent", "warning")
    return Cell("▸ working", "running") if row.running else Cell("○ idle", "name")


def _worker_name(row: WorkerRow, now: datetime) -> Cell:
    return Cell(row.label, "name" if row.alive else "muted")


def _worker_places(row: WorkerRow, now: datetime) -> Cell:
    return Cell(f"{row.running}/{row.capacity}", "name")


def _worker_load(row: WorkerRow, now: datetime) -> Cell:
    if row.capacity > SLOTS:
        return Cell(lying(row.running / row.capacity, SLOTS), "running")
    return Cell("●" * row.running + "○" * max(row.capacity - row.running, 0), "running" if row.running else "faint")


def _worker_heartbeat(row: WorkerRow, now: datetime) -> Cell:
    if row.seen_at is None:
        return Cell("never", "warning")
    return Cell(f"{age((now - row.seen_at).total_seconds())} ago", "muted" if row.alive else "warning")


def _worker_up(row: WorkerRow, now: datetime) -> Cell:
    return Cell(age((now - row.started_at).total_seconds()), "muted")


def _queue_state(row: QueueRow, now: datetime) -> Cell:
    return Cell("‖ paused", "warning") if row.paused else Cell("▸ open", "success")


def _queue_oldest(row: QueueRow, now: datetime) -> Cell:
    if row.oldest_due_at is None:
        return Cell("-", "faint")
    return Cell(age((now - row.oldest_due_at).total_seconds()), "name")


def _schedule_state(row: ScheduleRow, now: datetime) -> Cell:
    if row.paused:
        return Cell("‖ paused", "warning")
    return Cell("◷ planned", "name") if row.next_at else Cell("· ended", "faint")


def _schedule_name(row: ScheduleRow, now: datetime) -> Cell:
    return Cell(row.name, "muted" if row.paused else "name")


def _schedule_next(row: ScheduleRow, now: datetime) -> Cell:
    if row.next_at is None or row.paused:
        return Cell("-", "faint")
    left = (row.next_at - now).total_seconds()
    return Cell(f"in {age(left)}", "name") if left > 0 else Cell("due", "warning")


def _schedule_last(row: ScheduleRow, now: datetime) -> Cell:
    if row.last_at is None:
        return Cell("never", "faint")
    return Cell(f"{age((now - row.last_at).total_seconds())} ago", "muted")


_NAME_LEAST, _NAME_MOST = 12, 36

# In the order of their weight: what does not fit is left out from the end.
WORKER_COLUMNS = (
    Column("STATE", 9, _worker_state),
    Column("WORKER", 0, _worker_name),
    Column("TASKS", 7, _worker_places, right=True),
    Column("HEARTBEAT", 9, _worker_heartbeat, right=True),
    Column("", SLOTS, _worker_load),
    Column("UP", 4, _worker_up, right=True),
    Column("PYTHON", 6, field("python", "muted")),
    Column("QUEUES", 24, field("queues", "muted")),
)
QUEUE_COLUMNS = (
    Column("STATE", 8, _queue_state),
    Column("QUEUE", 0, field("name", "name")),
    Column("WAITING", 7, _number("depth", "name"), right=True),
    Column("OLDEST", 6, _queue_oldest, right=True),
    Column("RUNNING", 7, _number("running", "running"), right=True),
    Column("FAILED", 6, _number("failed", "failed"), right=True),
    Column("SCHEDULED", 9, _number("scheduled", "muted"), right=True),
    Column("SUCCESS", 7, _number("success", "muted"), right=True),
)
SCHEDULE_COLUMNS = (
    Column("STATE", 9, _schedule_state),
    Column("SCHEDULE", 0, _schedule_name),
    Column("NEXT", 8, _schedule_next, right=True),
    Column("LAST", 9, _schedule_last, right=True),
    Column("TIMES", 30, field("times", "name")),
    Column("TASK", 32, field("task", "muted"), dotted=True),
    Column("QUEUE", 12, field("queue", "muted")),
)


def fitting(columns: Sequence[Column], width: int) -> tuple[Column, ...]:
    """Choose the columns that fit a table this many cells wide; the one of no width of its own takes what is left."""
    chosen = list(columns)
    while len(chosen) > 2 and _least(chosen) > width:
        del chosen[-1]
    left = width - _least(chosen) + _NAME_LEAST
    return tuple(
        replace(column, width=min(max(left, 1), _NAME_MOST)) if not column.width else column for column in chosen
    )


def _least(columns: Sequence[Column]) -> int:
    return GUTTER + sum((column.width or _NAME_LEAST) + GAP for column in columns)
