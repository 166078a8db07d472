"""A Redis server that goes away and comes back: workers go on by themselves, and nothing is lost or done twice."""

import asyncio
import logging
from collections.abc import Callable

import pytest
from contract.builders import claim_all, make_task, register, run_one, success
from servers import Server

from sitq.backends.redis import RedisBackend
from sitq.core import TaskStatus
from sitq.exceptions import ConnectionError
from sitq.queue import TaskQueue
from sitq.worker import Worker


async def nap(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "slept"


async def until_all_ended(queue: TaskQueue, total: int, timeout: float) -> None:
    async with asyncio.timeout(timeout):
        while (await queue.stats()).count(TaskStatus.SUCCESS) < total:
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("kill", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("away", [1.0, pytest.param(10.0, marks=pytest.mark.slow)])
async def test_worker_carries_on_and_no_attempt_counts_twice(
    start_server: Callable[..., Server], away: float, kill: bool
) -> None:
    server = start_server()
    async with TaskQueue(server.url) as queue, Worker(server.url, max_concurrency=5, lease=3.0):
        tasks = await queue.enqueue_many(nap, [(0.05,)] * 200)
        await asyncio.sleep(0.3)
        server.stop(kill=kill)
        await asyncio.sleep(away)
        server.start()
        await until_all_ended(queue, len(tasks), timeout=30.0)

        infos = [await queue.get_task(task) for task in tasks]
        assert {(info.attempt, info.crashes, info.failures) for info in infos if info} == {(1, 0, 0)}


async def test_trips_that_were_never_sent_are_not_remembered(start_server: Callable[..., Server]) -> None:
    server = start_server()
    async with RedisBackend(server.url) as backend:
        worker = await register(backend)
        server.stop()
        for _ in range(20):
            with pytest.raises(ConnectionError):
                await backend.claim(worker.id, None, limit=1, lease=30.0)

        assert len(backend._store.desk._unanswered[worker.id]) == 1


async def test_verbs_say_in_one_sentence_that_the_server_is_away(start_server: Callable[..., Server]) -> None:
    server = start_server()
    async with RedisBackend(server.url) as backend:
        server.stop()

        for verb in (backend.enqueue([make_task()]), backend.stats(), backend.cancel(["one"])):
            with pytest.raises(ConnectionError, match=f"cannot reach {server.url} ") as refusal:
                await verb
            assert refusal.value.transient

        server.start()
        assert (await backend.stats()).queues == ()


async def test_connection_that_was_lost_while_idle_is_not_noticed(start_server: Callable[..., Server]) -> None:
    server = start_server()
    async with RedisBackend(server.url) as backend:
        (task_id,) = await backend.enqueue([make_task()])
        await asyncio.sleep(1.1)
        server.stop()
        server.start()

        assert await backend.cancel([task_id]) == {task_id}


async def test_wait_is_woken_again_after_the_server_came_back(
    start_server: Callable[..., Server], caplog: pytest.LogCaptureFixture
) -> None:
    server = start_server()
    async with RedisBackend(server.url) as backend, backend.twin() as twin:
        await backend.wait(["default"], timeout=0.2)
        server.stop()
        await asyncio.sleep(0.2)
        server.start()
        await asyncio.sleep(0.5)

        waiting = asyncio.create_task(backend.wait(["default"], timeout=30.0))
        await twin.enqueue([make_task()])

        await asyncio.wait_for(waiting, timeout=1.0)
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


async def test_leases_that_ran_out_while_the_server_was_away_hold_one_lease_longer(
    start_server: Callable[..., Server],
) -> None:
    server = start_server()
    async with RedisBackend(server.url) as backend:
        worker, other = await register(backend, lease=1.5), await register(backend, lease=1.5)
        claim = await run_one(backend, worker)
        server.stop()
        await asyncio.sleep(2.0)
        server.start()

        assert await claim_all(backend, other) == []
        assert await backend.heartbeat(worker, {claim.id: 1}, lease=1.5) == set()
        assert await backend.finish([success(claim)]) == {claim.id}
