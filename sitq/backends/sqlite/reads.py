"""What a SQLite store tells about its tasks, on a connection that only reads: results, lists, attempts, counts."""

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TypeVar

from sitq.backends.moments import moment_at, optional
from sitq.backends.rows import (
    MICROSECONDS,
    Counts,
    Row,
    attempt_of,
    counts_of,
    info_of,
    queue_stats_of,
    result_of,
    task_of,
    worker_of,
)
from sitq.backends.sqlite.errors import UNREADABLE, described
from sitq.backends.sqlite.listing import selection
from sitq.backends.sqlite.occurrences import occurrence_of
from sitq.core import Result, Task
from sitq.views import Attempt, QueueStats, Stats, TaskInfo, TaskQuery

T = TypeVar("T")

_RESULTS = """select task.id, state, coalesce(task.value, blob.data), error, traceback, enqueued_at,
  task.started_at, finished_at, attempt, worker.id
  from task left join blob on blob.task = task.seq and blob.kind = 1 and task.state = 3
  left join worker on worker.seq = task.worker
  where task.id in (select value from json_each(?))"""


def results(raw: sqlite3.Connection, ids: Collection[str]) -> dict[str, Result]:
    rows = raw.execute(_RESULTS, (json.dumps(list(ids)),))
    return {result.task_id: result for result in _each(_result, rows)}


def _result(row: Row) -> Result:
    return result_of(row, MICROSECONDS)


_TASKS = """select id, name, coalesce(payload, blob.data), queue, priority, expires_at - enqueued_at, timeout,
  max_attempts, key, python, executor, retention, tags, meta, arguments, on_failure, seq
  from task left join blob on blob.task = task.seq and blob.kind = 0 where id in (select value from json_each(?))"""


def tasks(raw: sqlite3.Connection, ids: Collection[str]) -> dict[str, Task]:
    rows = raw.execute(_TASKS, (json.dumps(list(ids)),)).fetchall()
    return {row[0]: _task(raw, row) for row in rows}


_NEEDED = """select needed.id, takes from dependency join task needed on needed.seq = dependency.needs
  where dependency.task = ? order by needed.seq"""


def _task(raw: sqlite3.Connection, row: Row) -> Task:
    *columns, seq = row
    needed = raw.execute(_NEEDED, (seq,)).fetchall() if row[15] is not None else []
    needs, after = ([task_id for task_id, takes in needed if takes == wanted] for wanted in (1, 0))
    return task_of(columns, MICROSECONDS, needs=needs, after=after)


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


def _info(row: Row) -> TaskInfo:
    schedule, scheduled_at = occurrence_of(row[29])
    return info_of(row, MICROSECONDS, schedule=schedule, scheduled_at=scheduled_at)


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
    return [attempt_of(task_id, row, MICROSECONDS) for row in rows]


# For each priority in use one look at the head of the index: a plain min() would walk all that is ready.
_OLDEST = """with recursive step(priority) as (
  select max(priority) from task where state = 1 and queue = :queue
  union all
  select (select max(priority) from task where state = 1 and queue = :queue and priority < step.priority)
  from step where step.priority is not null)
select min((select due_at from task where state = 1 and queue = :queue and task.priority = step.priority
  order by due_at limit 1)) from step where step.priority is not null"""
_COUNTS = "select queue, state, n from counter where n > 0"
_DUE = "select queue, count(*) from task where state = 0 and due_at <= ? group by queue"
_WORKERS = """select id, host, pid, process, queues, max_concurrency, python, started_at, seen_at,
  stopped_at is null and expires_at >= ?, (select count(*) from task where state = 2 and worker = worker.seq)
  from worker where stopped_at is null or stopped_at > ? order by seq"""
_RECENT = 3600 * 1_000_000  # a stopped worker is shown for an hour


def stats(raw: sqlite3.Connection, now: int) -> Stats:
    counts = counts_of(raw.execute(_COUNTS), raw.execute(_DUE, (now,)))
    paused = {queue for (queue,) in raw.execute("select queue from paused")}
    return Stats(
        queues=tuple(_queue_stats(raw, queue, counts, queue in paused) for queue in sorted({*counts, *paused})),
        workers=tuple(worker_of(row, MICROSECONDS) for row in raw.execute(_WORKERS, (now, now - _RECENT))),
    )


def _queue_stats(raw: sqlite3.Connection, queue: str, counts: Counts, paused: bool) -> QueueStats:
    (oldest,) = raw.execute(_OLDEST, {"queue": queue}).fetchone()
    return queue_stats_of(queue, counts, paused=paused, oldest_due_at=optional(moment_at, oldest))


_STOP_REQUESTS = """select id from task where state = 2 and cancel = 1
  and worker = (select seq from worker where id = ? and stopped_at is null)"""


def stop_requests(raw: sqlite3.Connection, worker_id: str) -> set[str]:
    return {task_id for (task_id,) in raw.execute(_STOP_REQUESTS, (worker_id,))}
