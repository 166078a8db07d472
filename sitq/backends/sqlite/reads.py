"""What a SQLite store tells about its tasks, on a connection that only reads: results, lists, attempts, counts."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias, TypeVar

from sitq.backends.sqlite.errors import UNREADABLE, described
from sitq.backends.sqlite.listing import selection
from sitq.backends.sqlite.occurrences import occurrence_of
from sitq.backends.sqlite.output import progress_of
from sitq.backends.sqlite.schema import BLOCKED, PARKED, READY, SCHEDULED, STATES, STATUS
from sitq.core import Cause, OnFailure, Result, Task, TaskStatus, WorkerInfo
from sitq.views import Attempt, QueueStats, Stats, TaskInfo, TaskQuery

T = TypeVar("T")
Row: TypeAlias = Sequence[Any]

_RESULTS = """select task.id, state, coalesce(task.value, blob.data), error, traceback, enqueued_at,
  task.started_at, finished_at, attempt, worker.id
  from task left join blob on blob.task = task.seq and blob.kind = 1 and task.state = 3
  left join worker on worker.seq = task.worker
  where task.id in (select value from json_each(?))"""


def instant(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else _certain(microseconds)


def _certain(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC)


def results(raw: sqlite3.Connection, ids: Collection[str]) -> dict[str, Result]:
    rows = raw.execute(_RESULTS, (json.dumps(list(ids)),))
    return {result.task_id: result for result in _each(_result, rows)}


def _result(row: Row) -> Result:
    status = STATUS[row[1]]
    return Result(
        task_id=row[0],
        status=status,
        value=row[2] if status is TaskStatus.SUCCESS else None,
        error=row[3],
        traceback=row[4],
        enqueued_at=instant(row[5]),
        started_at=instant(row[6]),
        finished_at=instant(row[7]),
        attempt=row[8],
        worker=row[9],
    )


_TASKS = """select id, name, coalesce(payload, blob.data), queue, priority, expires_at - enqueued_at, timeout,
  max_attempts, key, python, executor, retention, tags, meta, arguments, on_failure, seq
  from task left join blob on blob.task = task.seq and blob.kind = 0 where id in (select value from json_each(?))"""


def tasks(raw: sqlite3.Connection, ids: Collection[str]) -> dict[str, Task]:
    rows = raw.execute(_TASKS, (json.dumps(list(ids)),)).fetchall()
    return {row[0]: _task(row) if row[15] is None else _with_needs(raw, _task(row), row[16]) for row in rows}


_NEEDED = """select needed.id, takes from dependency join task needed on needed.seq = dependency.needs
  where dependency.task = ? order by needed.seq"""


def _with_needs(raw: sqlite3.Connection, task: Task, seq: int) -> Task:
    needed = raw.execute(_NEEDED, (seq,)).fetchall()
    needs, after = (tuple(task_id for task_id, takes in needed if takes == wanted) for wanted in (1, 0))
    return task._replace(needs=needs, after=after)


def _task(row: Sequence[Any]) -> Task:
    return Task(
        id=row[0],
        name=row[1],
        payload=row[2] or b"",
        queue=row[3],
        priority=row[4],
        expires=_seconds(row[5]),
        timeout=_seconds(row[6]),
        max_attempts=row[7],
        key=row[8],
        python=row[9],
        executor=row[10],
        retention=_seconds(row[11]),
        tags=tuple(json.loads(row[12])) if row[12] else (),
        meta=json.loads(row[13]) if row[13] else None,
        arguments=row[14],
        on_failure=OnFailure(row[15] or OnFailure.CANCEL),
    )


def _seconds(microseconds: int | None) -> float | None:
    return None if microseconds is None else microseconds / 1_000_000


_INFO = """select task.id, name, task.queue, state, priority, attempt, max_attempts, failures, crashes,
  enqueued_at, due_at, task.started_at, finished_at, task.expires_at, timeout, key, worker.id, executor, cancel,
  worker.stopped_at is not null or worker.expires_at < :now, task.python, arguments, error, tags, meta,
  progress_done, progress_total, progress_message, waiting,
  task.schedule
  from task {} left join worker on worker.seq = task.worker"""


def list_tasks(raw: sqlite3.Connection, request: tuple[TaskQuery, int]) -> list[TaskInfo]:
    query, now = request
    index, conditions, order, parameters = selection(raw, query)
    statement = f"{_INFO.format(index)} where {conditions} order by {order} limit :limit"
    parameters |= {"now": now, "limit": query.limit}
    return list(_each(_info, raw.execute(statement, parameters)))


def _each(read: Callable[[Row], T], rows: Iterable[Row]) -> Iterator[T]:
    """Read rows that begin with the id of a task, and name the one that cannot be read."""
    for row in rows:
        try:
            yield read(row)
        except UNREADABLE as exc:
            raise ValueError(f"task {row[0]!r}, {described(exc)}") from exc


def _info(row: Sequence[Any]) -> TaskInfo:
    state = row[3]
    schedule, scheduled_at = occurrence_of(row[29])
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
        enqueued_at=_certain(row[9]),
        due_at=_certain(row[10]),
        started_at=instant(row[11]),
        finished_at=instant(row[12]),
        expires_at=instant(row[13]),
        timeout=_seconds(row[14]),
        key=row[15],
        worker=row[16],
        executor=row[17],
        cancel_requested=bool(row[18]),
        stalled=STATUS[state] is TaskStatus.RUNNING and bool(row[19]),
        waits_for=_waits_for(state, row[20], row[28]),
        arguments=row[21],
        error=row[22],
        tags=tuple(json.loads(row[23])) if row[23] else (),
        meta=json.loads(row[24]) if row[24] else None,
        progress=progress_of(*row[25:28]),
        schedule=schedule,
        scheduled_at=scheduled_at,
    )


def _waits_for(state: int, python: str | None, waiting: int) -> str | None:
    if state == PARKED:
        return f"a worker on Python {python}"
    if state == BLOCKED:
        return "1 other task" if waiting == 1 else f"{waiting} other tasks"
    return None


_ATTEMPTS = """select attempt.attempt, worker.id, attempt.started_at, attempt.finished_at, cause, error, traceback
  from attempt left join worker on worker.seq = attempt.worker
  where attempt.task = (select seq from task where id = ?) order by attempt.attempt"""
# The last attempt is in the task's own row, unless it has been put back since.
_LAST = """select attempt, worker.id, task.started_at, finished_at, cause, error, traceback
  from task left join worker on worker.seq = task.worker
  where task.id = ? and state >= 2 and attempt > 0
  and not exists (select 1 from attempt where attempt.task = task.seq and attempt.attempt = task.attempt)"""


def attempts(raw: sqlite3.Connection, task_id: str) -> list[Attempt]:
    rows = raw.execute(_ATTEMPTS, (task_id,)).fetchall() + raw.execute(_LAST, (task_id,)).fetchall()
    return [
        Attempt(
            task_id=task_id,
            attempt=number,
            worker=worker,
            started_at=instant(started_at),
            finished_at=instant(finished_at),
            cause=None if finished_at is None or cause is None else Cause(cause),
            error=error if finished_at is not None else None,
            traceback=traceback,
        )
        for number, worker, started_at, finished_at, cause, error, traceback in rows
    ]


# For each priority in use one look at the head of the index: a plain min() would walk all that is ready.
_OLDEST = """with recursive step(priority) as (
  select max(priority) from task where state = 1 and queue = :queue
  union all
  select (select max(priority) from task where state = 1 and queue = :queue and priority < step.priority)
  from step where step.priority is not null)
select min((select due_at from task where state = 1 and queue = :queue and task.priority = step.priority
  order by due_at limit 1)) from step where step.priority is not null"""
# Due tasks stay in the scheduled state until the next claim makes them ready.
_DUE = "select queue, count(*) from task where state = 0 and due_at <= ? group by queue"
_WORKERS = """select id, host, pid, process, queues, max_concurrency, python, started_at, seen_at,
  stopped_at is null and expires_at >= ?, (select count(*) from task where state = 2 and worker = worker.seq)
  from worker where stopped_at is null or stopped_at > ? order by seq"""
_RECENT = 3600 * 1_000_000  # a stopped worker is shown for an hour


def stats(raw: sqlite3.Connection, now: int) -> Stats:
    counts: dict[str, dict[int, int]] = defaultdict(dict)
    for queue, state, n in raw.execute("select queue, state, n from counter where n > 0"):
        counts[queue][state] = n
    paused = {queue for (queue,) in raw.execute("select queue from paused")}
    for queue, due in raw.execute(_DUE, (now,)):
        counts[queue][SCHEDULED] -= due
        counts[queue][READY] = counts[queue].get(READY, 0) + due
    return Stats(
        queues=tuple(_queue_stats(raw, queue, counts[queue], queue in paused) for queue in sorted({*counts, *paused})),
        workers=tuple(_worker(row) for row in raw.execute(_WORKERS, (now, now - _RECENT))),
    )


def _queue_stats(raw: sqlite3.Connection, queue: str, counts: dict[int, int], paused: bool) -> QueueStats:
    by_status = {str(status): sum(counts.get(state, 0) for state in states) for status, states in STATES.items()}
    (oldest,) = raw.execute(_OLDEST, {"queue": queue}).fetchone()
    return QueueStats(
        queue=queue, paused=paused, scheduled=counts.get(SCHEDULED, 0), oldest_due_at=instant(oldest), **by_status
    )


def _worker(row: Sequence[Any]) -> WorkerInfo:
    return WorkerInfo(
        id=row[0],
        host=row[1],
        pid=row[2],
        process=row[3],
        queues=None if row[4] is None else tuple(json.loads(row[4])),
        max_concurrency=row[5],
        python=row[6],
        started_at=_certain(row[7]),
        seen_at=_certain(row[8]),
        alive=bool(row[9]),
        running=row[10],
    )


_STOP_REQUESTS = """select id from task where state = 2 and cancel = 1
  and worker = (select seq from worker where id = ? and stopped_at is null)"""


def stop_requests(raw: sqlite3.Connection, worker_id: str) -> set[str]:
    return {task_id for (task_id,) in raw.execute(_STOP_REQUESTS, (worker_id,))}
