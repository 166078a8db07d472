"""What moves between stores: tasks that ended in another one come in. (Schedules go out by `schedules`.)"""

from collections.abc import Sequence
from typing import Any

from sitq.backends.postgres.address import Address
from sitq.backends.postgres.session import Connection
from sitq.backends.postgres.tasks import SPECIAL, clean, columns, parameters, special_row
from sitq.backends.states import CAUSE_OF, STATES
from sitq.core import Result, Task

_TYPES = f"""{SPECIAL}, smallint[], integer[], text[], text[], text[], bytea[], timestamptz[], timestamptz[],
  timestamptz[]"""
_RESTORE = f"select sitq.restore({parameters(_TYPES)})"


async def restore(connection: Connection, address: Address, ended: Sequence[tuple[Task, Result]]) -> set[str]:
    values = columns([(*special_row(task), *_ended_row(result)) for task, result in ended], _TYPES)
    return {task_id for (task_id,) in await connection.fetch(address.sql(_RESTORE), *values)}


def _ended_row(result: Result) -> tuple[Any, ...]:
    (state,) = STATES[result.status]
    return (
        state,
        result.attempt,
        str(CAUSE_OF[result.status]),
        clean(result.error),
        clean(result.traceback),
        result.value,
        result.enqueued_at,
        result.started_at,
        result.finished_at,
    )
