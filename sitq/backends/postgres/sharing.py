"""Stores tasks inside the transaction that is open on a connection of the caller's own."""

import asyncio
import re
import sys
from collections.abc import Sequence
from typing import Any

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from sitq.backends.postgres.address import Address
from sitq.backends.postgres.errors import store_error
from sitq.backends.postgres.tasks import is_special, statement_for
from sitq.core import Task
from sitq.exceptions import ValidationError

_IS_HERE = "select to_regclass($1::text) is not null"
# Nothing is stored unless this very store is there.
_OF_STORE = " from sitq.meta where store = ${}::uuid"


class _Order:
    """What is to be stored, as statements for any driver.

    Args:
        store: the store's own id, which tells it from one of the same name in another database.
    """

    def __init__(self, address: Address, store: str, tasks: Sequence[Task]) -> None:
        self.address = address
        self.may_be_refused = any(map(is_special, tasks))
        statement, values = statement_for(tasks)
        self.statement = address.sql(statement + _OF_STORE.format(len(values) + 1))
        self.values = [*values, store]
        self._ids = [task.id for task in tasks]

    def ids(self, row: Sequence[Any] | None) -> list[str]:
        if row is None:
            raise self.elsewhere()
        return list(row[0]) if row[0] else self._ids

    def elsewhere(self) -> ValidationError:
        return ValidationError(f"connection must lead to the store {self.address.shown}; it leads to another database")


async def enqueue_on(connection: object, address: Address, store: str, tasks: Sequence[Task]) -> list[str]:
    """Store tasks through a connection of asyncpg or psycopg to the store's own database.

    Raises:
        ValidationError: it is no such connection, leads elsewhere, or has no transaction open and opens none by itself.
    """
    order = _Order(address, store, tasks)
    psycopg = sys.modules.get("psycopg")  # if nobody has imported it, this is no connection of it
    try:
        if isinstance(connection, (asyncpg.Connection, PoolConnectionProxy)):
            return await _on_asyncpg(connection, order)
        if psycopg is not None and isinstance(connection, psycopg.AsyncConnection):
            return await _on_async_psycopg(connection, psycopg, order)
        if psycopg is not None and isinstance(connection, psycopg.Connection):
            return await asyncio.to_thread(_on_psycopg, connection, psycopg, order)
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as exc:
        raise store_error(exc, address) from exc
    except Exception as exc:
        if psycopg is not None and isinstance(exc, psycopg.Error):
            raise store_error(exc, address) from exc
        raise
    kind = type(connection)
    raise ValidationError(f"connection must be one of asyncpg or psycopg, got {kind.__module__}.{kind.__qualname__}")


def _no_transaction() -> ValidationError:
    return ValidationError("connection has no transaction open, and would commit at once; begin one first")


async def _on_asyncpg(connection: Any, order: _Order) -> list[str]:
    if not connection.is_in_transaction():
        raise _no_transaction()
    if not await connection.fetchval(_IS_HERE, order.address.sql("sitq.meta")):
        raise order.elsewhere()
    if not order.may_be_refused:
        return order.ids(await connection.fetchrow(order.statement, *order.values))
    async with connection.transaction():  # a savepoint: a refusal leaves what the caller did before as it is
        return order.ids(await connection.fetchrow(order.statement, *order.values))


def _check(connection: Any, psycopg: Any) -> None:
    idle = connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    if idle and connection.autocommit:
        raise _no_transaction()


async def _on_async_psycopg(connection: Any, psycopg: Any, order: _Order) -> list[str]:
    _check(connection, psycopg)
    async with connection.cursor(row_factory=psycopg.rows.tuple_row) as cursor:
        # This also begins the transaction where none is open, so that the next one is a savepoint.
        await cursor.execute(_for_psycopg(_IS_HERE), (order.address.sql("sitq.meta"),))
        if not (await cursor.fetchone())[0]:
            raise order.elsewhere()
        if not order.may_be_refused:
            await cursor.execute(_for_psycopg(order.statement), order.values)
            return order.ids(await cursor.fetchone())
        async with connection.transaction():
            await cursor.execute(_for_psycopg(order.statement), order.values)
            return order.ids(await cursor.fetchone())


def _on_psycopg(connection: Any, psycopg: Any, order: _Order) -> list[str]:
    _check(connection, psycopg)
    with connection.cursor(row_factory=psycopg.rows.tuple_row) as cursor:
        cursor.execute(_for_psycopg(_IS_HERE), (order.address.sql("sitq.meta"),))
        if not cursor.fetchone()[0]:
            raise order.elsewhere()
        if not order.may_be_refused:
            return order.ids(cursor.execute(_for_psycopg(order.statement), order.values).fetchone())
        with connection.transaction():
            return order.ids(cursor.execute(_for_psycopg(order.statement), order.values).fetchone())


def _for_psycopg(statement: str) -> str:
    return re.sub(r"\$\d+", "%s", statement)
