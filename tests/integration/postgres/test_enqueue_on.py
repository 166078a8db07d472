"""Tasks enqueued on a connection of one's own exist exactly if its transaction commits."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import psycopg
import pytest
from servers import Servers

from sitq import SyncTaskQueue, TaskQueue, TaskQueueError, ValidationError, Worker

DRIVERS = ["asyncpg", "pool", "psycopg-async", "psycopg"]


class Shop:
    """A connection of any driver, with a transaction that the test ends."""

    def __init__(self, connection: Any, transaction: Any = None) -> None:
        self.connection = connection
        self._transaction = transaction

    async def end(self, how: str) -> None:
        ending = getattr(self._transaction or self.connection, how)()
        if ending is not None:
            await ending

    async def count(self) -> int:
        """Ask something inside the transaction."""
        if isinstance(self.connection, psycopg.Connection):
            (count,) = self.connection.execute("select 1").fetchone()
        elif isinstance(self.connection, psycopg.AsyncConnection):
            (count,) = await (await self.connection.execute("select 1")).fetchone()
        else:
            count = await self.connection.fetchval("select 1")
        return int(count)


@pytest.fixture(params=DRIVERS)
async def shop(request: pytest.FixtureRequest, servers: Servers) -> AsyncIterator[Shop]:
    url = servers.url("postgres")
    if request.param == "psycopg":
        with psycopg.Connection.connect(url) as connection:
            yield Shop(connection)
    elif request.param == "psycopg-async":
        async with await psycopg.AsyncConnection.connect(url) as connection:
            yield Shop(connection)
    else:
        async with asyncpg.create_pool(url, min_size=1, max_size=1) as pool, pool.acquire() as connection:
            raw = connection if request.param == "pool" else connection._con
            transaction = raw.transaction()
            await transaction.start()
            yield Shop(raw, transaction)
            if raw.is_in_transaction():
                await transaction.rollback()


async def test_a_task_exists_when_the_transaction_commits(queue: TaskQueue, shop: Shop) -> None:
    handle = await queue.options(connection=shop.connection, tags=["a"], meta={"order": 7}).enqueue(abs, -7)
    unseen = await queue.get_task(handle)
    await shop.end("commit")

    info = await queue.get_task(handle)
    assert unseen is None
    assert info is not None
    assert (info.tags, info.meta) == (("a",), {"order": 7})


async def test_no_task_exists_when_it_is_rolled_back(queue: TaskQueue, shop: Shop) -> None:
    await queue.options(connection=shop.connection).map(abs, [-1, -2])
    await shop.end("rollback")

    assert await queue.list_tasks() == []
    assert (await queue.stats()).queues == ()


async def test_a_worker_hears_of_the_commit(queue: TaskQueue, shop: Shop) -> None:
    async with Worker(queue.backend, poll_interval=60):
        handle = await queue.options(connection=shop.connection).enqueue(abs, -7)
        await shop.end("commit")
        assert await handle.result(timeout=5) == 7


async def test_a_refusal_leaves_the_transaction_as_it_was(queue: TaskQueue, shop: Shop) -> None:
    holder = await queue.options(key="report").enqueue(abs, -1)
    first = await queue.options(connection=shop.connection).enqueue(abs, -2)

    with pytest.raises(TaskQueueError, match=f"key 'report' is held by task {holder}, which is pending") as refusal:
        await queue.options(connection=shop.connection, key="report", on_conflict="raise").enqueue(abs, -3)

    assert await shop.count() == 1
    await shop.end("commit")
    assert {info.id for info in await queue.list_tasks()} == {holder, first}
    assert refusal.value.context["task_id"] == holder


async def test_a_task_may_wait_for_one_of_the_same_transaction(queue: TaskQueue, shop: Shop) -> None:
    view = queue.options(connection=shop.connection)
    second = await view.enqueue(abs, await view.enqueue(int, "-7"))
    await shop.end("commit")

    await Worker(queue.backend).run_until_empty()

    assert await second == 7


async def test_a_connection_to_another_database_is_refused(queue: TaskQueue, servers: Servers, url: str) -> None:
    admin = await asyncpg.connect(servers.url("postgres"))
    name = f"{url.rpartition('=')[2]}_db"
    await admin.execute(f"create database {name}")
    elsewhere = await asyncpg.connect(servers.url("postgres"), database=name)

    async with elsewhere.transaction():
        with pytest.raises(ValidationError, match=r"must lead to the store .* it leads to another database"):
            await queue.options(connection=elsewhere).enqueue(abs, -1)

    await elsewhere.close()
    await admin.execute(f"drop database {name}")
    await admin.close()


async def test_a_connection_without_a_transaction_is_refused(queue: TaskQueue, servers: Servers) -> None:
    connection = await asyncpg.connect(servers.url("postgres"))
    with psycopg.Connection.connect(servers.url("postgres"), autocommit=True) as autocommit:
        for without in (connection, autocommit):
            with pytest.raises(ValidationError, match="connection has no transaction open"):
                await queue.options(connection=without).enqueue(abs, -1)
    await connection.close()


async def test_something_else_is_refused(queue: TaskQueue) -> None:
    with pytest.raises(ValidationError, match=r"connection must be one of asyncpg or psycopg, got builtins\.str"):
        await queue.options(connection="here").enqueue(abs, -1)


def test_blocking_code_shares_its_transaction_too(url: str, servers: Servers) -> None:
    with SyncTaskQueue(url) as queue, psycopg.Connection.connect(servers.url("postgres")) as connection:
        task = queue.options(connection=connection).enqueue(abs, -7)
        before = queue.get_task(task)
        connection.commit()

        assert before is None
        assert queue.get_task(task) is not None
