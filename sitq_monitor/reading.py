"""Turns sitq's records into rows for the screen. Every string is cleaned here and nowhere later."""

import json
from collections.abc import Sequence
from datetime import datetime

from sitq.core import TaskStatus, WorkerInfo
from sitq.recurring import ScheduleInfo
from sitq.sanitize import ARGUMENTS_LIMIT, Clean, clean, clean_block, first_line
from sitq.views import Attempt, OutputChunk, QueueStats, Stats, TaskInfo
from sitq_monitor.format import duration
from sitq_monitor.model import AttemptRow, Counts, QueueRow, ScheduleRow, TaskDetail, TaskId, TaskRow, WorkerRow

LABEL_SIZE = 8
OUTPUT_LINES = 20
_WITH_ERROR = ("failed", "cancelled", "retrying")
"""Phases that the last error explains; in the others it belongs to an attempt that has been got over."""


def row_of(info: TaskInfo, now: datetime) -> TaskRow:
    """Make the table's line of a task."""
    phase = info.phase(now)
    note = info.error if phase in _WITH_ERROR else None
    progress = None if info.status.is_final else _progress(info)
    return TaskRow(
        id=TaskId(info.id),
        label=clean(info.id[-LABEL_SIZE:]),
        name=clean(info.name),
        queue=clean(info.queue),
        status=info.status,
        phase=clean(phase),
        attempt=info.attempt,
        max_attempts=info.max_attempts,
        enqueued_at=info.enqueued_at,
        started_at=info.started_at,
        finished_at=info.finished_at,
        note=first_line(note or progress or info.arguments or ""),
        note_is_error=note is not None,
        cancel_requested=info.cancel_requested,
    )


def rows_of(infos: Sequence[TaskInfo], now: datetime) -> tuple[TaskRow, ...]:
    return tuple(row_of(info, now) for info in infos)


def detail_of(
    info: TaskInfo, attempts: Sequence[Attempt], now: datetime, output: Sequence[OutputChunk] = ()
) -> TaskDetail:
    """Put together all that is known of a task."""
    told = next((attempt for attempt in reversed(attempts) if attempt.traceback), None)
    return TaskDetail(
        row=row_of(info, now),
        full_id=clean(info.id),
        due_at=info.due_at,
        facts=_facts(info),
        arguments=clean_block(info.arguments or "", ARGUMENTS_LIMIT),
        attempts=tuple(map(_attempt_row, attempts)),
        traceback=clean_block(told.traceback or "") if told else Clean(""),
        traceback_of=told.attempt if told else 0,
        output=_end_of(output),
    )


def _end_of(output: Sequence[OutputChunk]) -> Clean:
    """Keep the last lines of what the last attempt wrote; a line that was drawn anew counts as it was drawn last."""
    text = "".join(chunk.text for chunk in output if chunk.attempt == output[-1].attempt)
    lines = [line.rpartition("\r")[2] for line in text.replace("\r\n", "\n").rstrip("\n").split("\n")]
    return clean_block("\n".join(lines[-OUTPUT_LINES:]), ARGUMENTS_LIMIT)


def _progress(info: TaskInfo) -> str | None:
    """Write how far a task has come: "epoch · 12 of 200 · 6 %"."""
    if info.progress is None:
        return None
    done, total, message = info.progress
    parts = [message, None if done is None else f"{done:g}" + ("" if total is None else f" of {total:g}")]
    if done is not None and total:
        parts.append(f"{done / total:.0%}")
    return " · ".join(part for part in parts if part)


def counts_of(stats: Stats) -> Counts:
    """Add the lanes up, and keep them beside their sum."""
    return Counts(
        tasks=tuple((status, stats.count(status)) for status in TaskStatus),
        queues=tuple(map(_queue_row, stats.queues)),
        workers=tuple(map(_worker_row, stats.workers)),
        approximate=stats.approximate,
    )


def schedules_of(infos: Sequence[ScheduleInfo]) -> tuple[ScheduleRow, ...]:
    return tuple(map(_schedule_row, infos))


def _schedule_row(info: ScheduleInfo) -> ScheduleRow:
    zone = f" {info.timezone}" if info.timezone else ""
    return ScheduleRow(
        id=info.name,
        name=clean(info.name),
        times=clean(f"{info.cron}{zone}" if info.cron is not None else f"every {duration(info.every or 0.0)}"),
        task=clean(info.task_name),
        queue=clean(info.queue),
        paused=info.paused,
        next_at=info.next_at,
        last_at=info.last_at,
    )


def _queue_row(stats: QueueStats) -> QueueRow:
    return QueueRow(
        id=stats.queue,
        name=clean(stats.queue),
        pending=stats.pending,
        scheduled=stats.scheduled,
        running=stats.running,
        success=stats.success,
        failed=stats.failed,
        cancelled=stats.cancelled,
        paused=stats.paused,
        oldest_due_at=stats.oldest_due_at,
    )


def _worker_row(worker: WorkerInfo) -> WorkerRow:
    return WorkerRow(
        id=worker.id,
        label=clean(worker.id),
        queues=clean("all" if worker.queues is None else ", ".join(worker.queues)),
        python=clean(worker.python),
        running=worker.running,
        capacity=worker.max_concurrency,
        started_at=worker.started_at,
        seen_at=worker.seen_at,
        alive=worker.alive,
    )


def _attempt_row(attempt: Attempt) -> AttemptRow:
    return AttemptRow(
        number=attempt.attempt,
        cause=Clean(attempt.cause.value if attempt.cause else "running"),
        worker=clean(attempt.worker or ""),
        started_at=attempt.started_at,
        finished_at=attempt.finished_at,
        error=first_line(attempt.error or ""),
    )


def _facts(info: TaskInfo) -> tuple[tuple[str, Clean], ...]:
    named = {
        "queue": info.queue if not info.priority else f"{info.queue} · priority {info.priority}",
        "attempt": _attempts_in_words(info),
        "worker": info.worker,
        "waits for": info.waits_for,
        "progress": _progress(info),
        "schedule": info.schedule,
        "key": info.key,
        "timeout": f"{info.timeout:g} s" if info.timeout is not None else None,
        "executor": info.executor,
        "tags": ", ".join(info.tags),
        "meta": json.dumps(dict(info.meta), ensure_ascii=False, default=str) if info.meta else None,
        "asked": "to stop" if info.cancel_requested else None,
    }
    return tuple((name, clean(value, ARGUMENTS_LIMIT)) for name, value in named.items() if value)


def _attempts_in_words(info: TaskInfo) -> str:
    if not info.attempt:
        return f"none of {info.max_attempts} yet"
    if not info.crashes:
        return f"{info.attempt} of {info.max_attempts}"
    return f"{info.attempt} · {info.crashes} lost with their worker · {info.max_attempts} allowed besides"
