"""The verbs of people on a PostgreSQL store: cancel, requeue, run now, delete, purge, pause."""

from collections.abc import Collection

from sitq.backends.postgres.address import Address
from sitq.backends.postgres.session import Connection
from sitq.backends.states import STATES
from sitq.core import FINAL, TaskStatus

_CANCEL = "select sitq.cancel($1::text[])"
_REQUEUE = "select sitq.requeue($1::text[])"
_RUN_NOW = "select sitq.run_now($1::text[])"
_DELETE = "select sitq.delete($1::text[])"
_PURGE = "select sitq.purge($1::float8, $2::smallint[], $3::integer)"
_SET_PAUSED = "select sitq.set_paused($1::text, $2::boolean)"


async def cancel(connection: Connection, address: Address, ids: Collection[str]) -> set[str]:
    return {row[0] for row in await connection.fetch(address.sql(_CANCEL), list(ids))}


async def requeue(connection: Connection, address: Address, ids: Collection[str]) -> set[str]:
    return {row[0] for row in await connection.fetch(address.sql(_REQUEUE), list(ids))}


async def run_now(connection: Connection, address: Address, ids: Collection[str]) -> set[str]:
    return {row[0] for row in await connection.fetch(address.sql(_RUN_NOW), list(ids))}


async def delete(connection: Connection, address: Address, ids: Collection[str]) -> set[str]:
    return {row[0] for row in await connection.fetch(address.sql(_DELETE), list(ids))}


async def purge(
    connection: Connection, address: Address, request: tuple[float | None, Collection[TaskStatus] | None, int]
) -> int:
    older_than, statuses, limit = request
    wanted = FINAL if statuses is None else statuses
    states = [state for status in wanted for state in STATES[TaskStatus(status)]]
    return int(await connection.fetchval(address.sql(_PURGE), older_than, states, limit))


async def set_paused(connection: Connection, address: Address, request: tuple[str, bool]) -> None:
    await connection.execute(address.sql(_SET_PAUSED), *request)
