"""An answer that got lost with its connection: what was done stands, and is not done twice."""

from collections.abc import AsyncIterator

import pytest
from contract.builders import claim_all, look_up, make_task, register, run_one, success

from redis_store.proxies import Proxy
from sitq.backends.redis import RedisBackend
from sitq.core import TaskStatus
from sitq.exceptions import ConnectionError


@pytest.fixture
async def proxy(url: str) -> AsyncIterator[Proxy]:
    async with Proxy(url) as proxy:
        yield proxy


@pytest.fixture
async def backend(proxy: Proxy) -> AsyncIterator[RedisBackend]:
    """A backend whose server is reached through the proxy."""
    async with RedisBackend(proxy.url) as backend:
        yield backend


async def test_enqueue_is_done_once(backend: RedisBackend, proxy: Proxy) -> None:
    task = make_task()
    proxy.lose_answer_to("enqueue")

    assert await backend.enqueue([task]) == [task.id]

    assert (await backend.stats()).count(TaskStatus.PENDING) == 1


async def test_claims_are_handed_out_again_with_the_same_attempt(backend: RedisBackend, proxy: Proxy) -> None:
    worker = await register(backend)
    tasks = [make_task() for _ in range(3)]
    await backend.enqueue(tasks)
    proxy.lose_answer_to("exchange")

    claims = await claim_all(backend, worker)

    assert {(claim.id, claim.attempt) for claim in claims} == {(task.id, 1) for task in tasks}
    assert await backend.heartbeat(worker, {claim.id: 1 for claim in claims}, lease=30.0) == set()


@pytest.mark.parametrize("times", [2, 4])
async def test_claims_come_with_the_next_trip_that_is_answered(backend: RedisBackend, proxy: Proxy, times: int) -> None:
    worker = await register(backend)
    await backend.enqueue([make_task() for _ in range(times)])
    proxy.lose_answer_to("exchange", times=times)
    for _ in range(times - 1):  # the first trip is tried twice, as its connection may be an old one
        with pytest.raises(ConnectionError, match="cannot reach"):
            await backend.claim(worker.id, None, limit=1, lease=30.0)

    claims = await claim_all(backend, worker)

    assert len({claim.id for claim in claims}) == len(claims) == times
    assert {claim.attempt for claim in claims} == {1}


@pytest.mark.parametrize("between", range(12))
async def test_claims_that_were_answered_are_not_told_again(backend: RedisBackend, between: int) -> None:
    worker, other = await register(backend), await register(backend)
    await backend.enqueue([make_task() for _ in range(2)])
    await backend.claim(other.id, ["nothing"], limit=1, lease=30.0)
    first = await backend.claim(worker.id, None, limit=1, lease=30.0)
    for _ in range(between):
        await backend.claim(other.id, ["nothing"], limit=1, lease=30.0)

    second = await backend.claim(worker.id, None, limit=1, lease=30.0)

    assert len({claim.id for claim in first + second}) == 2


async def test_outcomes_are_accepted_whose_answer_was_lost(backend: RedisBackend, proxy: Proxy) -> None:
    worker = await register(backend)
    claim = await run_one(backend, worker)
    proxy.lose_answer_to("exchange")

    accepted, _ = await backend.exchange([success(claim)], worker.id, None, limit=1, lease=30.0)

    assert accepted == {claim.id}
    assert (await look_up(backend, claim.id)).status is TaskStatus.SUCCESS


async def test_claims_of_a_worker_that_was_declared_dead_meanwhile_do_not_come_back(
    backend: RedisBackend, proxy: Proxy
) -> None:
    worker, other = await register(backend), await register(backend)
    await backend.enqueue([make_task()])
    proxy.lose_answer_to("exchange", times=2)
    with pytest.raises(ConnectionError):
        await backend.claim(worker.id, None, limit=1, lease=30.0)
    await backend.heartbeat(worker, {}, lease=0)
    (taken,) = await claim_all(backend, other)

    await register(backend, worker)

    assert await claim_all(backend, worker) == []
    assert taken.attempt == 2
