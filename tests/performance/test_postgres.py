"""How fast tasks pass through a schema of PostgreSQL, beside what its driver does bare on the same server."""

import asyncio
import time

import asyncpg
import pytest
from servers import Servers
from servers.postgres import fresh_schema

from sitq import TaskQueue, Worker
from tests.performance.conftest import Report, median_of
from tests.performance.jobs import nothing

pytestmark = pytest.mark.performance

SINGLE, MANY = 2_000, 20_000


@pytest.fixture
def server(servers: Servers) -> str:
    return servers.url("postgres")


_NEW = (
    "with new as (insert into {}.job(payload) values ($1) returning 1) select pg_notify('new', ''), count(*) from new"
)


async def insert_singly(server: str, count: int) -> float:
    """Insert rows and notify, a row to a transaction, with nothing else around it."""
    schema = fresh_schema(server).rpartition("=")[2]
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(f"create schema {schema}")
        await connection.execute(f"create table {schema}.job(id bigserial primary key, payload bytea)")
        insert = await connection.prepare(_NEW.format(schema))
        begun = time.perf_counter()
        for _ in range(count):
            await insert.fetch(b"x" * 200)
        return count / (time.perf_counter() - begun)
    finally:
        await connection.close()


async def enqueue_from(server: str, callers: int, count: int) -> float:
    async def caller(queue: TaskQueue) -> None:
        for number in range(count // callers):
            await queue.enqueue(nothing, number, 2)

    async with TaskQueue(fresh_schema(server)) as queue:
        begun = time.perf_counter()
        await asyncio.gather(*(caller(queue) for _ in range(callers)))
        return count / (time.perf_counter() - begun)


async def drain(server: str, count: int, *, at_a_time: int) -> float:
    url = fresh_schema(server)
    async with TaskQueue(url) as queue:
        await queue.enqueue_many(nothing, [(number, 2) for number in range(count)])
    begun = time.perf_counter()
    await Worker(url, max_concurrency=at_a_time).run_until_empty()
    return count / (time.perf_counter() - begun)


def test_one_caller_beside_bare_inserts(server: str, report: Report) -> None:
    of = median_of(lambda: asyncio.run(insert_singly(server, SINGLE)))
    got = median_of(lambda: asyncio.run(enqueue_from(server, 1, SINGLE)))
    assert report.ratio("PostgreSQL, one caller / bare insert and notify", got=got, of=of, asked=0.4) > 0.2


def test_fifty_callers_beside_one(server: str, report: Report) -> None:
    of = median_of(lambda: asyncio.run(enqueue_from(server, 1, SINGLE)))
    got = median_of(lambda: asyncio.run(enqueue_from(server, 50, MANY)))
    assert report.ratio("PostgreSQL, 50 callers / one caller", got=got, of=of, asked=5.0) > 2.5


def test_worker_beside_bare_inserts(server: str, report: Report) -> None:
    of = median_of(lambda: asyncio.run(insert_singly(server, SINGLE)))
    got = median_of(lambda: asyncio.run(drain(server, MANY, at_a_time=10)))
    assert report.ratio("PostgreSQL, drain of a worker / bare insert and notify", got=got, of=of, asked=0.8) > 0.4
