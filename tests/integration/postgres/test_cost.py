"""What tasks cost the server: flushes of its log, notifications, pages read. The server counts, so nothing blurs it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence

import asyncpg
import pytest
from contract.builders import claim_all, make_task, register, success
from servers import Server
from servers.postgres import fresh_schema

from sitq import TaskQueue, Worker
from sitq.backends.postgres import PostgresBackend
from sitq.backends.postgres.claims import Exchange, exchange
from sitq.core import Claim, Outcome

TASKS = 2000


@pytest.fixture
def durable(own_server: Server) -> Iterator[str]:
    """A store on a server that flushes its log at each commit, as servers do unless told otherwise."""
    asyncio.run(set_fsync(own_server.url, "on"))
    yield fresh_schema(own_server.url)
    asyncio.run(set_fsync(own_server.url, "off"))


async def set_fsync(url: str, value: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(f"alter system set fsync = {value}")
    await connection.execute("select pg_reload_conf()")
    await connection.close()


async def flushes(url: str) -> int:
    """Read how often the server has flushed its log; connections tell it what they did when they are closed."""
    await asyncio.sleep(0.2)
    connection = await asyncpg.connect(url.partition("?")[0])
    count = await connection.fetchval("select wal_sync from pg_stat_wal")
    await connection.close()
    return int(count)


async def double(number: int) -> int:
    return 2 * number


async def test_a_stream_of_tasks_costs_few_flushes(durable: str) -> None:
    async with TaskQueue(durable) as queue:
        await queue.enqueue_many(double, [(number,) for number in range(TASKS)])
    before = await flushes(durable)

    await Worker(durable).run_until_empty()

    assert 0 < await flushes(durable) - before <= 0.1 * TASKS


async def test_enqueues_at_once_share_flushes(durable: str) -> None:
    async with TaskQueue(durable) as queue:
        before = await flushes(durable)
        await asyncio.gather(*(queue.enqueue(double, number) for number in range(TASKS)))

    assert 0 < await flushes(durable) - before <= 0.1 * TASKS


@pytest.fixture
async def notifications(url: str, plain: asyncpg.Connection) -> list[str]:
    """What a store tells, as it is told."""
    heard: list[str] = []
    backend = PostgresBackend(url)
    await plain.add_listener(backend._address.channel, lambda *told: heard.append(told[3]))
    return heard


async def test_a_batch_tells_once(queue: TaskQueue, notifications: list[str]) -> None:
    await queue.enqueue_many(double, [(number,) for number in range(1000)])
    await asyncio.sleep(0.1)
    enqueued = len(notifications)

    await Worker(queue.backend).run_until_empty()

    await asyncio.sleep(0.1)
    assert enqueued == 1
    assert len(notifications) - enqueued <= 0.1 * 1000


async def test_many_keys_become_one_notification_of_anything(queue: TaskQueue, notifications: list[str]) -> None:
    tasks = await queue.enqueue_many(double, [(number,) for number in range(1000)])

    await queue.cancel(tasks)

    await asyncio.sleep(0.1)
    assert notifications[1:] == ["{}"]


class Counting(PostgresBackend):
    """Notes how many outcomes and claims each trip carried."""

    trips: list[tuple[int, int]]

    async def exchange(
        self, outcomes: Sequence[Outcome], worker_id: str, queues: Sequence[str] | None, *, limit: int, lease: float
    ) -> tuple[set[str], list[Claim]]:
        accepted, claims = await super().exchange(outcomes, worker_id, queues, limit=limit, lease=lease)
        self.trips.append((len(outcomes), len(claims)))
        return accepted, claims


async def test_lone_task_costs_one_trip_to_claim_and_one_to_finish(queue: TaskQueue, url: str) -> None:
    backend = Counting(url)
    backend.trips = []
    async with backend, Worker(backend, poll_interval=60):
        await (await queue.enqueue(asyncio.sleep, 0.05))
        await asyncio.sleep(0.3)  # until it listens, and has heard of all that
        backend.trips.clear()
        await (await queue.enqueue(asyncio.sleep, 0.05))

    claimed = backend.trips.index((0, 1))
    assert backend.trips[claimed + 1 :].index((1, 0)) <= 1  # on a busy machine a wake comes late, and costs one more


async def test_idle_worker_writes_nothing(durable: str) -> None:
    async with TaskQueue(durable) as queue:
        await queue.options(delay=60.0).enqueue(double, 1)
    async with Worker(durable, poll_interval=0.05):
        await asyncio.sleep(0.3)
        connection = await asyncpg.connect(durable.partition("?")[0])
        before = await connection.fetchval("select pg_current_wal_insert_lsn()")
        await asyncio.sleep(0.5)
        written = await connection.fetchval("select pg_current_wal_insert_lsn() - $1::pg_lsn", before)
        await connection.close()

    assert written < 1000  # of another session's housekeeping; one claim that locks writes about 200, and there were 10


# As the server counts for the transaction under way, with all that functions did in it.
_PAGES = """select sum(pg_stat_get_xact_blocks_fetched(oid)) from pg_class
  where relkind in ('r', 'i') and relnamespace = to_regnamespace($1)"""


async def pages_of(backend: PostgresBackend, act: Callable[[asyncpg.Connection], Awaitable[object]]) -> int:
    """Count the pages that one step reads, after ten that let the server settle on its plans; all are undone."""
    schema = backend._address.schema

    async def measure(connection: asyncpg.Connection) -> int:
        transaction = connection.transaction()
        await transaction.start()
        for _ in range(10):
            await act(connection)
        before = await connection.fetchval(_PAGES, schema)
        await act(connection)
        pages = await connection.fetchval(_PAGES, schema) - before
        await transaction.rollback()
        return int(pages)

    return await backend._store._acting.call(measure)


async def pages_of_a_trip(backend: PostgresBackend, tasks: int) -> int:
    """Count the pages that one trip reads which finishes so many tasks and claims the next ones."""
    worker = await register(backend)
    claims: list[Claim] = []

    async def step(connection: asyncpg.Connection) -> None:
        nonlocal claims
        request = Exchange([success(claim) for claim in claims], worker.id, None, tasks)
        claims = (await exchange(connection, backend._address, request, trip=1, again=False)).claims
        assert len(claims) == tasks

    return await pages_of(backend, step)


async def test_trips_read_no_more_of_a_large_store(url: str) -> None:
    async with PostgresBackend(url) as backend:
        # The plans are made while the store is small, and must serve when it is large: as they are for a worker.
        await backend.enqueue([make_task() for _ in range(1000)])
        small = await pages_of_a_trip(backend, 32)
        await fill(backend)
        large = await pages_of_a_trip(backend, 32)

    assert large < 2 * small, f"{small} pages of a small store, {large} of a large one"


async def test_trips_walk_what_is_dead_in_an_index_once(url: str, plain: asyncpg.Connection) -> None:
    """What passed through the store leaves dead rows, which the server clears away only now and then."""
    async with PostgresBackend(url) as backend:
        await plain.execute(backend._address.sql("alter table sitq.task set (autovacuum_enabled = off)"))
        await backend.enqueue([make_task() for _ in range(100)])
        before = await pages_of_a_trip(backend, 1)
        await pass_through(backend, 20_000)
        after = await pages_of_a_trip(backend, 1)
        index = await plain.fetchval(
            "select pg_relation_size($1::text::regclass) / 8192", f"{backend._address.schema}.task_ready"
        )

    assert after < before + 2 * index


async def pass_through(backend: PostgresBackend, count: int) -> None:
    worker = await register(backend)
    for _ in range(count // 1000):
        await backend.enqueue([make_task() for _ in range(1000)])
        await backend.finish([success(claim) for claim in await backend.claim(worker.id, None, limit=1000, lease=30.0)])


async def fill(backend: PostgresBackend) -> None:
    """Add what claims must not read: ended and scheduled ones, ready ones of a paused lane, and those behind."""
    worker = await register(backend)
    for _ in range(10):
        await backend.enqueue([make_task(queue="done") for _ in range(1000)])
        await backend.finish([success(claim) for claim in await claim_all(backend, worker, ["done"])])
    await backend.enqueue([make_task(queue="later", delay=3600.0) for _ in range(3000)])
    await backend.enqueue([make_task(queue="paused", priority=9) for _ in range(3000)])
    await backend.set_paused("paused", True)
    await backend.enqueue([make_task() for _ in range(10_000)])


async def test_counts_are_summed_up_now_and_then(queue: TaskQueue, plain: asyncpg.Connection, url: str) -> None:
    rows = f"select count(*) from {url.rpartition('=')[2]}.counter"
    most = 0
    for number in range(1500):
        await queue.enqueue(double, number)
        most = max(most, await plain.fetchval(rows)) if number % 50 == 0 else most

    assert await plain.fetchval(rows) < 1500
    assert (await queue.stats()).queues[0].pending == 1500
