"""What a PostgreSQL store tells about its tasks: results, lists, attempts, counts."""

import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from sitq.backends.postgres.address import Address
from sitq.backends.postgres.listing import selection
from sitq.backends.postgres.output import progress_of
from sitq.backends.postgres.schema import BLOCKED, PARKED, READY, SCHEDULED, STATES, STATUS
from sitq.backends.postgres.session import Connection
from sitq.core import Cause, OnFailure, Result, Task, TaskStatus, WorkerInfo
from sitq.views import Attempt, QueueStats, Stats, TaskInfo, TaskQuery

_RESULTS = """select task.id, state, case state when 3 then value end, error, traceback, enqueued_at, task.started_at,
  finished_at, attempt, worker.id as worker_id
  from sitq.task left join sitq.worker on worker.seq = task.worker where task.id = any($1::text[])"""


async def results(connection: Connection, address: Address, ids: Collection[str]) -> dict[str, Result]:
    return {row[0]: _result(row) for row in await connection.fetch(address.sql(_RESULTS), list(ids))}


def _result(row: Sequence[Any]) -> Result:
    return Result(
        task_id=row[0],
        status=STATUS[row[1]],
        value=row[2],
        error=row[3],
        traceback=row[4],
        enqueued_at=row[5],
        started_at=row[6],
        finished_at=row[7],
        attempt=row[8],
        worker=row[9],
    )


_TASKS = """select id, name, payload, queue, priority, extract(epoch from expires_at - enqueued_at)::float8, timeout,
  max_attempts, key, python, executor, retention, tags, meta, arguments, on_failure,
  array(select needed.id from sitq.dependency join sitq.task as needed on needed.seq = dependency.needs
    where dependency.task = task.seq and takes order by needed.seq),
  array(select needed.id from sitq.dependency join sitq.task as needed on needed.seq = dependency.needs
    where dependency.task = task.seq and not takes order by needed.seq)
  from sitq.task where id = any($1::text[])"""


async def tasks(connection: Connection, address: Address, ids: Collection[str]) -> dict[str, Task]:
    return {row[0]: _task(row) for row in await connection.fetch(address.sql(_TASKS), list(ids))}


def _task(row: Sequence[Any]) -> Task:
    return Task(
        id=row[0],
        name=row[1],
        payload=row[2],
        queue=row[3],
        priority=row[4],
        expires=row[5],
        timeout=row[6],
        max_attempts=row[7],
        key=row[8],
        python=row[9],
        executor=row[10],
        retention=row[11],
        tags=_tags(row[12]),
        meta=json.loads(row[13]) if row[13] else None,
        arguments=row[14],
        on_failure=OnFailure(row[15] or OnFailure.CANCEL),
        needs=tuple(row[16]),
        after=tuple(row[17]),
    )


def _tags(text: str | None) -> tuple[str, ...]:
    return tuple(json.loads(text)) if text else ()


_INPUTS = """select needed.id from sitq.dependency join sitq.task as needed on needed.seq = dependency.needs
  where dependency.task = (select seq from sitq.task where id = $1) and takes"""
_NEEDS = """select needed.id from sitq.dependency join sitq.task as needed on needed.seq = dependency.needs
  where dependency.task = (select seq from sitq.task where id = $1) order by needed.seq"""


async def inputs(connection: Connection, address: Address, task_id: str) -> dict[str, Result]:
    return await results(connection, address, await _ids(connection, address.sql(_INPUTS), task_id))


async def needs(connection: Connection, address: Address, task_id: str) -> list[str]:
    return await _ids(connection, address.sql(_NEEDS), task_id)


_STOP_REQUESTS = """select id from sitq.task where state = 2 and cancel
  and worker = (select seq from sitq.worker where id = $1 and stopped_at is null)"""


async def stop_requests(connection: Connection, address: Address, worker_id: str) -> set[str]:
    return set(await _ids(connection, address.sql(_STOP_REQUESTS), worker_id))


async def _ids(connection: Connection, statement: str, key: str) -> list[str]:
    return [task_id for (task_id,) in await connection.fetch(statement, key)]


_INFO = """select task.id, name, queue, state, priority, attempt, max_attempts, failures, crashes, enqueued_at, due_at,
  task.started_at, finished_at, task.expires_at, timeout, key, worker.id as worker_id, executor, cancel,
  worker.stopped_at is not null or worker.expires_at < clock_timestamp(), task.python, arguments, error, tags, meta,
  progress_done, progress_total, progress_message, waiting, schedule, scheduled_at
  from sitq.task left join sitq.worker on worker.seq = task.worker"""


async def list_tasks(connection: Connection, address: Address, query: TaskQuery) -> list[TaskInfo]:
    conditions, order, values = selection(query)
    statement = f"{_INFO} where {conditions} order by {order} limit {query.limit:d}"
    return [_info(row) for row in await connection.fetch(address.sql(statement), *values)]


def _info(row: Sequence[Any]) -> TaskInfo:
    state = row[3]
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
        enqueued_at=row[9],
        due_at=row[10],
        started_at=row[11],
        finished_at=row[12],
        expires_at=row[13],
        timeout=row[14],
        key=row[15],
        worker=row[16],
        executor=row[17],
        cancel_requested=row[18],
        stalled=STATUS[state] is TaskStatus.RUNNING and bool(row[19]),
        waits_for=_waits_for(state, row[20], row[28]),
        arguments=row[21],
        error=row[22],
        tags=_tags(row[23]),
        meta=json.loads(row[24]) if row[24] else None,
        progress=progress_of(*row[25:28]),
        schedule=row[29],
        scheduled_at=row[30],
    )


def _waits_for(state: int, python: str | None, waiting: int) -> str | None:
    if state == PARKED:
        return f"a worker on Python {python}"
    if state == BLOCKED:
        return "1 other task" if waiting == 1 else f"{waiting} other tasks"
    return None


# The last attempt is in the task's own row, unless it has been put back since.
_ATTEMPTS = """select past.attempt, worker.id, past.started_at, finished_at, cause, error, traceback from (
    select attempt, worker, started_at, finished_at, cause, error, traceback from sitq.attempt
    where attempt.task = (select seq from sitq.task where id = $1)
    union all
    select attempt, worker, started_at, finished_at, cause, error, traceback from sitq.task
    where task.id = $1 and state >= 2 and attempt > 0 and not exists (
      select from sitq.attempt as old where old.task = task.seq and old.attempt = task.attempt)
  ) as past left join sitq.worker on worker.seq = past.worker order by past.attempt"""


async def attempts(connection: Connection, address: Address, task_id: str) -> list[Attempt]:
    return [
        Attempt(
            task_id=task_id,
            attempt=number,
            worker=worker,
            started_at=started_at,
            finished_at=finished_at,
            cause=None if finished_at is None or cause is None else Cause(cause),
            error=error if finished_at is not None else None,
            traceback=traceback,
        )
        for number, worker, started_at, finished_at, cause, error, traceback in await connection.fetch(
            address.sql(_ATTEMPTS), task_id
        )
    ]


_COUNTS = "select queue, state, sum(n)::bigint from sitq.counter group by queue, state having sum(n) > 0"
_PAUSED = "select queue from sitq.paused"
# Due tasks stay in the scheduled state until the next claim makes them ready.
_DUE = "select queue, count(*) from sitq.task where state = 0 and due_at <= clock_timestamp() group by queue"
# For each priority in use one look at the head of the index: a plain min() would walk all that is ready.
_OLDEST = """with recursive step(priority) as (
  select max(priority) from sitq.task where state = 1 and queue = $1
  union all
  select (select max(priority) from sitq.task where state = 1 and queue = $1 and priority < step.priority)
  from step where step.priority is not null)
select min((select due_at from sitq.task where state = 1 and queue = $1 and task.priority = step.priority
  order by due_at limit 1)) from step where step.priority is not null"""
# A stopped worker is shown for an hour.
_WORKERS = """select id, host, pid, process, queues, max_concurrency, python, started_at, seen_at,
  stopped_at is null and expires_at >= clock_timestamp(),
  (select count(*) from sitq.task where state = 2 and worker = worker.seq)
  from sitq.worker where stopped_at is null or stopped_at > clock_timestamp() - interval '1 hour' order by seq"""


async def stats(connection: Connection, address: Address) -> Stats:
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        counts: dict[str, dict[int, int]] = defaultdict(dict)
        for queue, state, n in await connection.fetch(address.sql(_COUNTS)):
            counts[queue][state] = n
        paused = {queue for (queue,) in await connection.fetch(address.sql(_PAUSED))}
        for queue, due in await connection.fetch(address.sql(_DUE)):
            counts[queue][SCHEDULED] -= due
            counts[queue][READY] = counts[queue].get(READY, 0) + due
        queues = [
            _queue_stats(queue, counts[queue], queue in paused, await connection.fetchval(address.sql(_OLDEST), queue))
            for queue in sorted({*counts, *paused})
        ]
        workers = [_worker(row) for row in await connection.fetch(address.sql(_WORKERS))]
    return Stats(queues=tuple(queues), workers=tuple(workers))


def _queue_stats(queue: str, counts: dict[int, int], paused: bool, oldest: Any) -> QueueStats:
    by_status = {str(status): sum(counts.get(state, 0) for state in states) for status, states in STATES.items()}
    return QueueStats(queue=queue, paused=paused, scheduled=counts.get(SCHEDULED, 0), oldest_due_at=oldest, **by_status)


def _worker(row: Sequence[Any]) -> WorkerInfo:
    return WorkerInfo(
        id=row[0],
        host=row[1],
        pid=row[2],
        process=row[3],
        queues=None if row[4] is None else tuple(json.loads(row[4])),
        max_concurrency=row[5],
        python=row[6],
        started_at=row[7],
        seen_at=row[8],
        alive=row[9],
        running=row[10],
    )
