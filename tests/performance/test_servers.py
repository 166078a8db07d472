"""How fast tasks pass through a server's store, beside what its driver does bare on the same server."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable

import asyncpg
import nats
import pytest
from redis.asyncio import Redis
from servers import Servers

from sitq import TaskQueue, Worker
from tests.performance.conftest import Report, median_of
from tests.performance.jobs import delay_since, nothing

pytestmark = pytest.mark.performance

SINGLE, MANY, SAMPLES = 2_000, 20_000, 300
BODY = b"x" * 200
NAMES = {"postgres": "PostgreSQL", "redis": "Redis", "nats": "NATS"}
# What sitq set itself, from what the best of its peers do on the same machine.
ONE = {"postgres": 0.4, "redis": 0.6, "nats": 0.8}
FIFTY = {"postgres": 5.0, "redis": 4.0, "nats": 3.0}
DRAIN = {"postgres": 0.8, "redis": 3.0, "nats": 1.5}
START = {"postgres": 3.0, "redis": 1.3, "nats": 1.5}

kinds = pytest.mark.parametrize("kind", ["postgres", "redis", "nats"])


async def rate_of(write: Callable[[], Awaitable[object]], count: int) -> float:
    begun = time.perf_counter()
    for _ in range(count):
        await write()
    return count / (time.perf_counter() - begun)


async def insert_and_notify(server: str, count: int) -> float:
    """Insert rows and notify, a row to a transaction."""
    table = f"bare_{os.urandom(6).hex()}"
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(f"create table {table}(id bigserial primary key, payload bytea)")
        statement = f"""with new as (insert into {table}(payload) values ($1) returning 1)
          select pg_notify('new', ''), count(*) from new"""
        insert = await connection.prepare(statement)
        return await rate_of(lambda: insert.fetch(BODY), count)
    finally:
        await connection.execute(f"drop table {table}")
        await connection.close()


async def add_to_stream(server: str, count: int) -> float:
    """Add to a stream of Redis."""
    async with Redis.from_url(server) as client:
        key = f"bare_{os.urandom(6).hex()}"
        try:
            return await rate_of(lambda: client.xadd(key, {"payload": BODY}), count)
        finally:
            await client.delete(key)


async def publish(server: str, count: int) -> float:
    """Publish to a stream of NATS and await that it is stored."""
    client = await nats.connect(server)
    name = f"bare_{os.urandom(6).hex()}"
    stream = client.jetstream()
    await stream.add_stream(name=name, subjects=[name])
    try:
        return await rate_of(lambda: stream.publish(name, BODY), count)
    finally:
        await stream.delete_stream(name)
        await client.close()


BARE = {"postgres": insert_and_notify, "redis": add_to_stream, "nats": publish}


async def enqueue_from(url: str, callers: int, count: int) -> float:
    async def caller(queue: TaskQueue) -> None:
        for number in range(count // callers):
            await queue.enqueue(nothing, number, 2)

    async with TaskQueue(url) as queue:
        begun = time.perf_counter()
        await asyncio.gather(*(caller(queue) for _ in range(callers)))
        return count / (time.perf_counter() - begun)


async def drain(url: str, count: int, *, at_a_time: int) -> float:
    async with TaskQueue(url) as queue:
        await queue.enqueue_many(nothing, [(number, 2) for number in range(count)])
    begun = time.perf_counter()
    await Worker(url, max_concurrency=at_a_time).run_until_empty()
    return count / (time.perf_counter() - begun)


@kinds
def test_one_caller_beside_the_bare_driver(servers: Servers, kind: str, report: Report) -> None:
    of = median_of(lambda: asyncio.run(BARE[kind](servers.url(kind), SINGLE)))
    got = median_of(lambda: asyncio.run(enqueue_from(servers.store(kind), 1, SINGLE)))
    figure = f"{NAMES[kind]}: enqueue, one caller / the bare driver, one message"
    assert report.ratio(figure, got=got, of=of, asked=ONE[kind]) > ONE[kind] / 2


@kinds
def test_fifty_callers_beside_one(servers: Servers, kind: str, report: Report) -> None:
    of = median_of(lambda: asyncio.run(enqueue_from(servers.store(kind), 1, SINGLE)))
    got = median_of(lambda: asyncio.run(enqueue_from(servers.store(kind), 50, MANY)))
    figure = f"{NAMES[kind]}: enqueue, 50 callers / one caller"
    assert report.ratio(figure, got=got, of=of, asked=FIFTY[kind]) > FIFTY[kind] / 2


@kinds
def test_worker_beside_the_bare_driver(servers: Servers, kind: str, report: Report) -> None:
    of = median_of(lambda: asyncio.run(BARE[kind](servers.url(kind), SINGLE)))
    got = median_of(lambda: asyncio.run(drain(servers.store(kind), MANY, at_a_time=10)))
    figure = f"{NAMES[kind]}: drain, concurrency 10 / the bare driver, one message"
    assert report.ratio(figure, got=got, of=of, asked=DRAIN[kind]) > DRAIN[kind] / 2


@kinds
async def test_start_on_an_idle_worker(servers: Servers, kind: str, report: Report) -> None:
    url, found = servers.store(kind), []
    async with TaskQueue(url) as queue, Worker(url):
        for number in range(SAMPLES):
            found.append(await (await queue.enqueue(delay_since, time.time_ns())))
            await asyncio.sleep(0.005 + 0.001 * (number % 13))
    got = sorted(found)[SAMPLES // 2]
    figure = f"{NAMES[kind]}: enqueue → start, same process, idle worker, p50"
    assert report.value(figure, got=got, asked=START[kind], unit="ms") < 10 * START[kind]
