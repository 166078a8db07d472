"""What a PostgreSQL store tells about its tasks: results, lists, attempts, counts."""

from collections.abc import Collection

from sitq.backends.postgres.address import Address
from sitq.backends.postgres.listing import selection
from sitq.backends.postgres.session import Connection
from sitq.backends.rows import (
    NATIVE,
    Row,
    attempt_of,
    counts_of,
    info_of,
    queue_stats_of,
    result_of,
    task_of,
    worker_of,
)
from sitq.core import Result, Task
from sitq.views import Attempt, Stats, TaskInfo, TaskQuery

_RESULTS = """select task.id, state, case state when 3 then value end, error, traceback, enqueued_at, task.started_at,
  finished_at, attempt, worker.id as worker_id
  from sitq.task left join sitq.worker on worker.seq = task.worker where task.id = any($1::text[])"""


async def results(connection: Connection, address: Address, ids: Collection[str]) -> dict[str, Result]:
    return {row[0]: result_of(row, NATIVE) for row in await connection.fetch(address.sql(_RESULTS), list(ids))}


_TASKS = """select id, name, payload, queue, priority, extract(epoch from expires_at - enqueued_at)::float8, timeout,
  max_attempts, key, python, executor, retention, tags, meta, arguments, on_failure,
  array(select needed.id from sitq.dependency join sitq.task as needed on needed.seq = dependency.needs
    where dependency.task = task.seq and takes order by needed.seq),
  array(select needed.id from sitq.dependency join sitq.task as needed on needed.seq = dependency.needs
    where dependency.task = task.seq and not takes order by needed.seq)
  from sitq.task where id = any($1::text[])"""


async def tasks(connection: Connection, address: Address, ids: Collection[str]) -> dict[str, Task]:
    return {row[0]: _task(row) for row in await connection.fetch(address.sql(_TASKS), list(ids))}


def _task(row: Row) -> Task:
    *columns, needs, after = row
    return task_of(columns, NATIVE, needs=needs, after=after)


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


def _info(row: Row) -> TaskInfo:
    return info_of(row, NATIVE, schedule=row[29], scheduled_at=row[30])


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
    rows = await connection.fetch(address.sql(_ATTEMPTS), task_id)
    return [attempt_of(task_id, row, NATIVE) for row in rows]


_COUNTS = "select queue, state, sum(n)::bigint from sitq.counter group by queue, state having sum(n) > 0"
_PAUSED = "select queue from sitq.paused"
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
        counted = await connection.fetch(address.sql(_COUNTS))
        counts = counts_of(counted, await connection.fetch(address.sql(_DUE)))
        paused = {queue for (queue,) in await connection.fetch(address.sql(_PAUSED))}
        oldest = {queue: await connection.fetchval(address.sql(_OLDEST), queue) for queue in sorted({*counts, *paused})}
        workers = await connection.fetch(address.sql(_WORKERS))
    return Stats(
        queues=tuple(
            queue_stats_of(queue, counts, paused=queue in paused, oldest_due_at=moment)
            for queue, moment in oldest.items()
        ),
        workers=tuple(worker_of(row, NATIVE) for row in workers),
    )
