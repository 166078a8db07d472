"""The server goes away and comes back: nothing is lost, and no attempt counts twice."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest
from contract.builders import claim_all, eventually, make_task, register, retry, success
from servers import Server, Servers
from servers.postgres import fresh_schema

from postgres.proxy import Proxy
from sitq import TaskQueue, Worker
from sitq.backends.postgres import PostgresBackend
from sitq.core import TaskStatus
from sitq.exceptions import BackendError, ConnectionError
from sitq.views import TaskQuery


@pytest.fixture
def server(own_server: Server) -> Iterator[Server]:
    """A server that a test may stop; it is up again for the next one."""
    yield own_server
    own_server.stop()
    own_server.start()


@pytest.fixture
def store(server: Server) -> str:
    return fresh_schema(server.url)


@pytest.fixture
async def lost_queue(store: str) -> AsyncIterator[TaskQueue]:
    """A queue whose server the test takes away."""
    async with TaskQueue(PostgresBackend(store, reconnect_timeout=10.0)) as queue:
        yield queue


@pytest.fixture
async def proxy(servers: Servers) -> AsyncIterator[Proxy]:
    async with Proxy(servers.url("postgres")) as proxy:
        yield proxy


@pytest.fixture
async def behind(proxy: Proxy) -> AsyncIterator[PostgresBackend]:
    """A store whose answers can be lost."""
    async with PostgresBackend(fresh_schema(proxy.url)) as backend:
        yield backend


async def test_verbs_connect_again_after_a_restart(server: Server, lost_queue: TaskQueue) -> None:
    task = await lost_queue.enqueue(abs, -1)
    server.stop()
    server.start()

    other = await lost_queue.enqueue(abs, -2)

    assert {info.id for info in await lost_queue.list_tasks()} == {task, other}


async def test_enqueue_waits_for_a_server_that_comes_back(server: Server, lost_queue: TaskQueue) -> None:
    server.stop(kill=True)
    enqueuing = asyncio.create_task(lost_queue.enqueue(abs, -1))
    await asyncio.sleep(0.5)

    await asyncio.to_thread(server.start)

    assert (await lost_queue.get_task(await enqueuing)) is not None


async def test_verb_says_in_one_line_that_the_server_is_gone(server: Server) -> None:
    backend = PostgresBackend(fresh_schema(server.url), reconnect_timeout=0.2)
    await backend.connect()
    server.stop()

    for verb in (backend.enqueue([make_task()]), backend.stats(), backend.cancel(["x"])):
        with pytest.raises(ConnectionError, match=r"does not answer \(.*\); is the server up\?$") as error:
            await verb
        assert error.value.transient
    await backend.close()


async def test_worker_ends_its_tasks_and_takes_others_when_the_server_is_back(
    server: Server, store: str, lost_queue: TaskQueue, caplog: pytest.LogCaptureFixture
) -> None:
    backend = PostgresBackend(store, reconnect_timeout=0.1)
    async with backend, Worker(backend, poll_interval=0.1):
        running = await lost_queue.enqueue(asyncio.sleep, 0.6, "slept")
        await eventually(lambda: is_running(lost_queue, running))
        server.stop()
        await asyncio.sleep(1.0)
        await asyncio.to_thread(server.start)

        assert await running == "slept"
        assert await (await lost_queue.enqueue(abs, -2)) == 2
    assert [attempt.attempt for attempt in await lost_queue.attempts(running)] == [1]
    assert any("trying again" in record.getMessage() for record in caplog.records)


async def is_running(queue: TaskQueue, task_id: str) -> bool:
    info = await queue.get_task(task_id)
    return info is not None and info.status is TaskStatus.RUNNING


async def test_wait_hears_again_after_its_connections_were_cut(proxy: Proxy, behind: PostgresBackend) -> None:
    queue = TaskQueue(behind)
    async with Worker(behind, poll_interval=60):
        await (await queue.enqueue(abs, -1))
        proxy.cut()
        await asyncio.sleep(1.5)
        started = time.monotonic()

        assert await (await queue.enqueue(abs, -2)) == 2

    assert time.monotonic() - started < 5


async def test_claim_whose_answer_was_lost_is_told_again(proxy: Proxy, behind: PostgresBackend) -> None:
    worker = await register(behind)
    tasks = [make_task() for _ in range(3)]
    await behind.enqueue(tasks)
    proxy.swallow_replies(1)

    claims = await behind.claim(worker.id, None, limit=5, lease=30.0)

    assert proxy.cuts_left == 0
    assert [(claim.id, claim.attempt) for claim in claims] == [(task.id, 1) for task in tasks]
    assert [len(await behind.attempts(task.id)) for task in tasks] == [1, 1, 1]


async def test_outcomes_whose_answer_was_lost_are_accepted_once(proxy: Proxy, behind: PostgresBackend) -> None:
    worker = await register(behind)
    await behind.enqueue([make_task() for _ in range(4)])
    first, second, third, _ = await claim_all(behind, worker)
    proxy.swallow_replies(1)

    accepted = await behind.finish([success(first), success(second), retry(third, delay=60.0)])

    assert proxy.cuts_left == 0
    assert accepted == {first.id, second.id, third.id}
    assert [attempt.attempt for attempt in await behind.attempts(third.id)] == [1]


async def test_claims_are_told_again_after_several_losses_and_an_error(proxy: Proxy) -> None:
    async with PostgresBackend(fresh_schema(proxy.url), reconnect_timeout=0.0) as backend:
        worker = await register(backend)
        await backend.enqueue([make_task() for _ in range(4)])
        proxy.swallow_replies(2)
        with pytest.raises(ConnectionError):
            await backend.claim(worker.id, None, limit=2, lease=30.0)

        claims = await claim_all(backend, worker)

    assert proxy.cuts_left == 0
    assert [claim.attempt for claim in claims] == [1, 1, 1, 1]
    assert len({claim.id for claim in claims}) == 4


async def test_leases_that_ran_out_while_the_server_was_away_hold_for_one_more(
    proxy: Proxy, behind: PostgresBackend
) -> None:
    worker, silent = await register(behind), await register(behind, lease=1.0)
    await behind.enqueue([make_task()])
    (claim,) = await claim_all(behind, silent)
    await asyncio.sleep(1.1)
    proxy.cut()

    at_once = await claim_all(behind, worker)

    (later,) = await eventually(lambda: claim_all(behind, worker))
    assert at_once == []
    assert (later.id, later.attempt) == (claim.id, 2)


async def test_schema_that_was_migrated_meanwhile_is_refused(
    proxy: Proxy, behind: PostgresBackend, plain: asyncpg.Connection
) -> None:
    await plain.execute(behind._address.sql("update sitq.meta set version = 99"))
    proxy.cut()

    with pytest.raises(BackendError, match="has schema version 99, this sitq knows 1"):
        await behind.enqueue([make_task()])


async def test_enqueue_whose_answer_was_lost_stores_once(proxy: Proxy, behind: PostgresBackend) -> None:
    task = make_task(key="report", on_conflict="raise")
    proxy.swallow_replies(1)

    assert await behind.enqueue([task]) == [task.id]
    assert proxy.cuts_left == 0
    assert [info.id for info in await behind.list_tasks(TaskQuery())] == [task.id]


@pytest.mark.slow
async def test_ten_seconds_without_a_server_under_load_lose_nothing(
    server: Server, store: str, lost_queue: TaskQueue, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    tasks = await lost_queue.enqueue_many(asyncio.sleep, [(0.02, number) for number in range(3000)])
    async with Worker(store, max_concurrency=20, lease=5.0):
        await asyncio.sleep(1.0)
        server.stop(kill=True)
        await asyncio.sleep(10.0)
        await asyncio.to_thread(server.start)
        values = [await task.result(timeout=30) for task in tasks]

    assert values == list(range(3000))
    assert (await lost_queue.stats()).count(TaskStatus.SUCCESS) == 3000
    assert {info.attempt for info in await lost_queue.list_tasks(TaskQuery(limit=3000))} == {1}
