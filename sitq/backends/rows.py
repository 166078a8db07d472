"""Records made of the rows of the SQL stores, whose statements name their columns in one order."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sitq.backends.moments import in_seconds, moment_at
from sitq.backends.refusals import schedule_is_foreign
from sitq.backends.schedules import new_task
from sitq.backends.states import BLOCKED, PARKED, READY, SCHEDULED, STATES, STATUS, waits_for_python, waits_for_tasks
from sitq.core import Cause, OnFailure, Progress, Result, Task, TaskStatus, WorkerInfo
from sitq.recurring import Schedule, ScheduleInfo
from sitq.views import Attempt, QueueStats, TaskInfo

Row = Sequence[Any]


class Units(NamedTuple):
    """How a store's columns are read that hold times.

    Attributes:
        moment: makes a datetime of what is stored, or None of null.
        seconds: makes seconds of a duration as it is stored, or None of null.
    """

    moment: Callable[[Any], Any]
    seconds: Callable[[Any], Any]


MICROSECONDS = Units(
    moment=lambda stored: None if stored is None else moment_at(stored),
    seconds=lambda stored: None if stored is None else in_seconds(stored),
)
NATIVE = Units(moment=lambda stored: stored, seconds=lambda stored: stored)  # the driver makes datetimes and floats


def result_of(row: Row, units: Units) -> Result:
    task_id, state, value, error, traceback, enqueued_at, started_at, finished_at, attempt, worker = row
    status, moment = STATUS[state], units.moment
    return Result(
        task_id=task_id,
        status=status,
        value=value if status is TaskStatus.SUCCESS else None,
        error=error,
        traceback=traceback,
        enqueued_at=moment(enqueued_at),
        started_at=moment(started_at),
        finished_at=moment(finished_at),
        attempt=attempt,
        worker=worker,
    )


def task_of(row: Row, units: Units, *, needs: Iterable[str] = (), after: Iterable[str] = ()) -> Task:
    return Task(
        id=row[0],
        name=row[1],
        payload=row[2] or b"",
        queue=row[3],
        priority=row[4],
        expires=units.seconds(row[5]),
        timeout=units.seconds(row[6]),
        max_attempts=row[7],
        key=row[8],
        python=row[9],
        executor=row[10],
        retention=units.seconds(row[11]),
        tags=_names(row[12]) or (),
        meta=json.loads(row[13]) if row[13] else None,
        arguments=row[14],
        on_failure=OnFailure(row[15] or OnFailure.CANCEL),
        needs=tuple(needs),
        after=tuple(after),
    )


def _names(text: str | None) -> tuple[str, ...] | None:
    return tuple(json.loads(text)) if text else None


def info_of(row: Row, units: Units, *, schedule: str | None, scheduled_at: datetime | None) -> TaskInfo:
    state, moment = row[3], units.moment
    return TaskInfo(
        id=row[0],
        name=row[1],
        queue=row[2],
        status=STATUS[state],
        priority=row[4],
        attempt=row[5],
        max_attempts=row[6],
        failures=row[7],
        crashes=row[8],
        enqueued_at=moment(row[9]),
        due_at=moment(row[10]),
        started_at=moment(row[11]),
        finished_at=moment(row[12]),
        expires_at=moment(row[13]),
        timeout=units.seconds(row[14]),
        key=row[15],
        worker=row[16],
        executor=row[17],
        cancel_requested=bool(row[18]),
        stalled=STATUS[state] is TaskStatus.RUNNING and bool(row[19]),
        waits_for=_waits_for(state, row[20], row[28]),
        arguments=row[21],
        error=row[22],
        tags=_names(row[23]) or (),
        meta=json.loads(row[24]) if row[24] else None,
        progress=progress_of(*row[25:28]),
        schedule=schedule,
        scheduled_at=scheduled_at,
    )


def _waits_for(state: int, python: str | None, waiting: int) -> str | None:
    if state == PARKED:
        return waits_for_python(python)
    return waits_for_tasks(waiting) if state == BLOCKED else None


def progress_of(done: float | None, total: float | None, message: str | None) -> Progress | None:
    """Make a record of three columns; None when the task said nothing."""
    return None if done is None and total is None and message is None else Progress(done, total, message)


def attempt_of(task_id: str, row: Row, units: Units) -> Attempt:
    number, worker, started_at, finished_at, cause, error, traceback = row
    return Attempt(
        task_id=task_id,
        attempt=number,
        worker=worker,
        started_at=units.moment(started_at),
        finished_at=units.moment(finished_at),
        cause=None if finished_at is None or cause is None else Cause(cause),
        error=error if finished_at is not None else None,
        traceback=traceback,
    )


Counts = dict[str, dict[int, int]]  # tasks by lane and state


def counts_of(counted: Iterable[Row], due: Iterable[Row]) -> Counts:
    """Take up counts by lane and state, and those that are due: they stay scheduled until the next claim."""
    counts: Counts = defaultdict(dict)
    for queue, state, number in counted:
        counts[queue][state] = number
    for queue, number in due:
        counts[queue][SCHEDULED] -= number
        counts[queue][READY] = counts[queue].get(READY, 0) + number
    return counts


def queue_stats_of(queue: str, counts: Counts, *, paused: bool, oldest_due_at: datetime | None) -> QueueStats:
    own = counts.get(queue, {})
    by_status = {str(status): sum(own.get(state, 0) for state in states) for status, states in STATES.items()}
    return QueueStats(
        queue=queue, paused=paused, scheduled=own.get(SCHEDULED, 0), oldest_due_at=oldest_due_at, **by_status
    )


def worker_of(row: Row, units: Units) -> WorkerInfo:
    worker_id, host, pid, process, queues, max_concurrency, python, started_at, seen_at, alive, running = row
    return WorkerInfo(
        id=worker_id,
        host=host,
        pid=pid,
        process=process,
        queues=_names(queues),
        max_concurrency=max_concurrency,
        python=python,
        started_at=units.moment(started_at),
        seen_at=units.moment(seen_at),
        alive=bool(alive),
        running=running,
    )


def schedule_info_of(row: Row, units: Units) -> ScheduleInfo:
    name, cron, every, timezone, catch_up, task_name, queue, arguments, paused, next_at, last_at, created_at = row
    return ScheduleInfo(
        name=name,
        cron=cron,
        every=units.seconds(every),
        timezone=timezone,
        catch_up=catch_up,
        task_name=task_name,
        queue=queue,
        created_at=units.moment(created_at),
        arguments=arguments,
        paused=bool(paused),
        next_at=units.moment(next_at),
        last_at=units.moment(last_at),
    )


def stored_call(row: Row) -> Task:
    """Make a new task of what a schedule holds, see `new_task`."""
    schedule, name, queue, text, payload = row
    try:
        options = json.loads(text)
    except ValueError as exc:
        raise schedule_is_foreign(schedule, exc) from exc
    return new_task(schedule, name, queue, options, payload)


def stored_schedule_of(row: Row, units: Units) -> Schedule:
    *call, cron, every, timezone, catch_up, next_at = row
    return Schedule(
        name=call[0],
        task=stored_call(call),
        cron=cron,
        every=units.seconds(every),
        timezone=timezone,
        catch_up=catch_up,
        next_at=units.moment(next_at),
    )
