"""The verbs of schedules on a PostgreSQL store: put, remove, pause, list, fire."""

import json
from datetime import datetime

import asyncpg

from sitq.backends.postgres.address import Address
from sitq.backends.postgres.errors import REFUSED, refusal, sqlstate
from sitq.backends.postgres.session import Connection
from sitq.backends.postgres.tasks import clean, enqueue
from sitq.backends.rows import NATIVE, schedule_info_of, stored_call, stored_schedule_of
from sitq.backends.schedules import options_of
from sitq.core import Task
from sitq.exceptions import TaskQueueError
from sitq.recurring import DueSchedules, Firing, Schedule, ScheduleInfo

_INFO = """name, cron, every, timezone, catch_up, task_name, queue, arguments, paused, next_at, last_at, created_at"""
_GOES_ON = """schedule.cron is not distinct from excluded.cron and schedule.every is not distinct from excluded.every
    and schedule.timezone is not distinct from excluded.timezone"""
_PUT = f"""insert into sitq.schedule(name, cron, every, timezone, catch_up, task_name, queue, arguments, options,
    payload, next_at, created_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, clock_timestamp())
  on conflict (name) do update set cron = excluded.cron, every = excluded.every, timezone = excluded.timezone,
  catch_up = excluded.catch_up, task_name = excluded.task_name, queue = excluded.queue,
  arguments = excluded.arguments, options = excluded.options, payload = excluded.payload,
  next_at = case when {_GOES_ON} then coalesce(schedule.next_at, excluded.next_at) else excluded.next_at end,
  last_at = case when {_GOES_ON} then schedule.last_at end,
  created_at = case when {_GOES_ON} then schedule.created_at else excluded.created_at end
  returning {_INFO}"""
_WAKE = "select sitq.wake(array[$1::text])"


async def put(connection: Connection, address: Address, schedule: Schedule) -> ScheduleInfo:
    task = schedule.task
    recurs = (schedule.name, schedule.cron, schedule.every, schedule.timezone, schedule.catch_up)
    call = (task.name, task.queue, clean(task.arguments), json.dumps(options_of(task)), task.payload)
    async with connection.transaction():
        row = await connection.fetchrow(address.sql(_PUT), *recurs, *call, schedule.next_at)
        await connection.execute(address.sql(_WAKE), task.queue)
    return schedule_info_of(row, NATIVE)


_REMOVE = "delete from sitq.schedule where name = $1 returning true"


async def remove(connection: Connection, address: Address, name: str) -> bool:
    return bool(await connection.fetchval(address.sql(_REMOVE), name))


_PAUSE = """update sitq.schedule set next_at = case when paused and not $2 then $3 else next_at end, paused = $2
  where name = $1 returning queue"""


async def set_paused(connection: Connection, address: Address, request: tuple[str, bool, datetime | None]) -> bool:
    async with connection.transaction():
        queue = await connection.fetchval(address.sql(_PAUSE), *request)
        if queue is not None:
            await connection.execute(address.sql(_WAKE), queue)
    return queue is not None


async def list_all(connection: Connection, address: Address) -> list[ScheduleInfo]:
    statement = f"select {_INFO} from sitq.schedule order by name"
    return [schedule_info_of(row, NATIVE) for row in await connection.fetch(address.sql(statement))]


# After the clock was set back, moments that were planned before lie too far ahead: an interval's next one by more than
# itself, and cron's last one by more than the hour within which nothing fires twice.
_DUE = f"""select {_INFO} from sitq.schedule where not paused and (next_at <= $1
  or next_at > $1 + (every + 1) * interval '1 second'
  or (every is null and next_at > $1 and last_at > $1 + interval '1 hour'))
  order by next_at, name"""
_NEXT = "select min(next_at) from sitq.schedule where not paused and next_at > $1"


async def due(connection: Connection, address: Address) -> DueSchedules:
    now = await connection.fetchval("select clock_timestamp()")
    schedules = tuple(schedule_info_of(row, NATIVE) for row in await connection.fetch(address.sql(_DUE), now))
    next_at = await connection.fetchval(address.sql(_NEXT), now)
    return DueSchedules(now, schedules, None if next_at is None else (next_at - now).total_seconds())


_CALL = "select name, task_name, queue, options, payload from sitq.schedule where name = $1"
_CALL_DUE = f"{_CALL} and next_at = $2 and not paused for update"
# Where nothing is fired for, a last moment that lies ahead was made by a clock that was wrong.
_ADVANCE = """update sitq.schedule set next_at = $2,
  last_at = coalesce($3, least(last_at, case when last_at is not null then clock_timestamp() end)) where name = $1"""


async def fire(connection: Connection, address: Address, firing: Firing) -> list[str] | None:
    async with connection.transaction():
        row = await connection.fetchrow(address.sql(_CALL_DUE), firing.schedule, firing.due_at)
        if row is None:
            return None
        tasks = [stored_call(row) for _ in firing.occurrences]
        last_at = firing.occurrences[-1] if firing.occurrences else None
        await connection.execute(address.sql(_ADVANCE), firing.schedule, firing.next_at, last_at)
        stored = [
            await _store_or_skip(connection, address, task, firing.schedule, occurrence)
            for task, occurrence in zip(tasks, firing.occurrences, strict=True)
        ]
    return [task_id for task_id in stored if task_id is not None]


async def _store_or_skip(
    connection: Connection, address: Address, task: Task, schedule: str, occurrence: datetime
) -> str | None:
    try:
        task_id = await _store(connection, address, task, schedule, occurrence)
    except TaskQueueError:  # its key is held and the policy does not yield
        return None
    return task_id if task_id == task.id else None


_OF_SCHEDULE = "update sitq.task set schedule = $2, scheduled_at = $3 where id = $1"


async def _store(connection: Connection, address: Address, task: Task, schedule: str, occurrence: datetime) -> str:
    """Store one task, and leave the transaction as it is where it is refused."""
    try:
        async with connection.transaction():
            ((task_id,),) = await enqueue(connection, address, ((task,),))
            await connection.execute(address.sql(_OF_SCHEDULE), task.id, schedule, occurrence)
    except asyncpg.PostgresError as exc:
        if sqlstate(exc) == REFUSED:
            raise refusal(exc) from exc
        raise
    return task_id


async def run_now(connection: Connection, address: Address, name: str) -> str | None:
    async with connection.transaction():
        row = await connection.fetchrow(address.sql(_CALL), name)
        if row is None:
            return None
        now = await connection.fetchval("select clock_timestamp()")
        return await _store(connection, address, stored_call(row), name, now)


_STORED = """select name, task_name, queue, options, payload, cron, every, timezone, catch_up, next_at
  from sitq.schedule order by name"""


async def stored_schedules(connection: Connection, address: Address) -> list[Schedule]:
    return [stored_schedule_of(row, NATIVE) for row in await connection.fetch(address.sql(_STORED))]
