"""What can go wrong when a store is opened, told in one line that holds no password."""

import asyncio
import socket
from pathlib import Path

import asyncpg
import pytest
from servers import Server, free_port
from servers.postgres import fresh_schema

from sitq import TaskQueue
from sitq.backends.postgres import PostgresBackend
from sitq.exceptions import BackendError, ConfigurationError, ConnectionError, SitqError


async def refusal(backend: PostgresBackend) -> SitqError:
    with pytest.raises(SitqError) as caught:
        await backend.connect()
    assert not backend.connected
    assert "\n" not in str(caught.value)
    assert "s3cret" not in f"{caught.value}{caught.value.context}"
    return caught.value


async def test_server_that_is_not_there() -> None:
    port = free_port()

    error = await refusal(PostgresBackend(f"postgresql://ada:s3cret@127.0.0.1:{port}/jobs"))

    assert isinstance(error, ConnectionError)
    assert f"postgresql://ada@127.0.0.1:{port}/jobs does not answer" in str(error)


async def test_host_that_nobody_knows() -> None:
    error = await refusal(PostgresBackend("postgresql://ada:s3cret@nowhere.invalid/jobs"))

    assert isinstance(error, ConnectionError)


async def test_server_that_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]

        error = await refusal(PostgresBackend(f"postgresql://127.0.0.1:{port}/jobs", command_timeout=0.2))

    assert isinstance(error, ConnectionError)
    assert "does not answer (TimeoutError)" in str(error)


async def test_database_that_is_not_there(url: str) -> None:
    error = await refusal(PostgresBackend(url.replace("/postgres?", "/nowhere?")))

    assert "has no such database; create it first" in str(error)


async def test_parameter_that_nobody_knows(url: str) -> None:
    error = await refusal(PostgresBackend(f"{url}&shema=mail"))

    assert "shema" in str(error)


async def test_wrong_password(own_server: Server) -> None:
    admin = await asyncpg.connect(own_server.url)
    await admin.execute("create role ada login password 'right'")
    rules = Path(await admin.fetchval("show hba_file"))
    rules.write_text(f"host all ada 127.0.0.1/32 scram-sha-256\n{rules.read_text()}")
    await admin.execute("select pg_reload_conf()")
    await asyncio.sleep(0.2)
    await admin.close()

    error = await refusal(PostgresBackend(own_server.url.replace("postgres@", "ada:s3cret@")))

    assert isinstance(error, ConnectionError)
    assert "refuses the password" in str(error)


async def test_isolation_that_hides_what_others_have_done(url: str) -> None:
    error = await refusal(PostgresBackend(f"{url}&default_transaction_isolation=serializable"))

    assert isinstance(error, ConfigurationError)
    assert "needs default_transaction_isolation 'read committed', this user has 'serializable'" in str(error)


async def test_newer_schema(url: str, plain: asyncpg.Connection) -> None:
    backend = PostgresBackend(url)
    await backend.connect()
    await plain.execute(backend._address.sql("update sitq.meta set version = 99"))
    await backend.close()

    error = await refusal(PostgresBackend(url))

    assert "has schema version 99, this sitq knows 1; upgrade sitq-queue" in str(error)


@pytest.mark.parametrize("table", ["orders(number integer)", "meta(key text)"])
async def test_schema_of_another_program(url: str, plain: asyncpg.Connection, table: str) -> None:
    schema = url.rpartition("=")[2]
    await plain.execute(f"create schema {schema}; create table {schema}.{table}")

    error = await refusal(PostgresBackend(url))

    assert "holds tables of another program; name one with ?schema=" in str(error)
    assert await plain.fetchval("select count(*) from pg_tables where schemaname = $1", schema) == 1


@pytest.mark.parametrize("options", [{"create": False}, {"read_only": True}])
async def test_store_that_is_not_to_be_made(url: str, plain: asyncpg.Connection, options: dict[str, bool]) -> None:
    error = await refusal(PostgresBackend(url, **options))

    assert "has no sitq schema of version 1; a queue or a worker makes or migrates it" in str(error)
    assert await plain.fetchval("select to_regnamespace($1) is null", url.rpartition("=")[2])


async def test_store_open_for_reading_refuses_changes_and_reads(url: str) -> None:
    async with TaskQueue(url) as queue:
        task = await queue.enqueue(abs, -1)

    async with PostgresBackend(url, read_only=True) as reader:
        assert list(await reader.results([task])) == [task]
        with pytest.raises(BackendError, match="is open for reading only"):
            await reader.cancel([task])


async def test_many_open_a_new_store_at_once(url: str) -> None:
    backends = [PostgresBackend(url) for _ in range(10)]

    await asyncio.gather(*(backend.connect() for backend in backends))

    assert all(backend.connected for backend in backends)
    for backend in backends:
        await backend.close()


async def test_stores_of_one_database_know_nothing_of_each_other(queue: TaskQueue, url: str) -> None:
    await queue.enqueue(abs, -1)

    async with TaskQueue(fresh_schema(url.partition("?")[0])) as other:
        assert (await other.stats()).queues == ()
