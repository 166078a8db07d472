"""Trips that a worker does not make because they would bring nothing; what changes is heard of, and then asked for."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from contract.builders import eventually, failure, make_dead_worker, make_task, register, run_one, success
from contract.test_schedules import firing_of, make_schedule, soon

from sitq.backends.redis import RedisBackend
from sitq.core import Claim, WorkerInfo
from sitq.exceptions import ConfigurationError


@pytest.fixture
async def backend(backend: RedisBackend) -> RedisBackend:
    """A backend that hears what changes."""
    await backend.wait(["default"], timeout=0.5)
    return backend


@pytest.fixture
async def twin(backend: RedisBackend) -> AsyncIterator[RedisBackend]:
    async with backend.twin() as twin:
        yield twin


async def turn(backend: RedisBackend, worker: WorkerInfo) -> list[Claim]:
    return (await backend.exchange([], worker.id, None, limit=5, lease=30.0))[1]


async def calls(backend: RedisBackend) -> int:
    stats = await backend._store.connection.command("INFO", "commandstats")
    (line,) = [line for line in stats.splitlines() if line.startswith(b"cmdstat_fcall:")]
    return int(line.split(b"calls=")[1].partition(b",")[0])


async def test_turns_without_news_make_no_trip(backend: RedisBackend) -> None:
    worker = await register(backend)
    await turn(backend, worker)
    before = await calls(backend)

    for _ in range(10):
        assert await turn(backend, worker) == []
        assert await backend.stop_requests(worker.id) == set()
        await backend.due_schedules()

    assert await calls(backend) - before <= 2  # the first look at each of the two others


async def enqueue(twin: RedisBackend, worker: WorkerInfo) -> None:
    await twin.enqueue([make_task()])


async def enqueue_for_later(twin: RedisBackend, worker: WorkerInfo) -> None:
    await twin.enqueue([make_task(delay=0.15)])


async def requeue(twin: RedisBackend, worker: WorkerInfo) -> None:
    claim = await run_one(twin, await register(twin))
    await twin.finish([failure(claim)])
    await twin.requeue([claim.id])


async def resume(twin: RedisBackend, worker: WorkerInfo) -> None:
    await twin.set_paused("default", True)
    await twin.enqueue([make_task()])
    await asyncio.sleep(0.05)
    await twin.set_paused("default", False)


async def release(twin: RedisBackend, worker: WorkerInfo) -> None:
    claim = await run_one(twin, await register(twin))
    await twin.enqueue([make_task(needs=(claim.id,))])
    await asyncio.sleep(0.05)
    await twin.finish([success(claim)])


async def fire(twin: RedisBackend, worker: WorkerInfo) -> None:
    await twin.fire(firing_of(await twin.put_schedule(make_schedule())))


async def die(twin: RedisBackend, worker: WorkerInfo) -> None:
    await run_one(twin, await register(twin, make_dead_worker(), lease=3600.0))


@pytest.mark.parametrize("change", [enqueue, enqueue_for_later, requeue, resume, release, fire, die])
async def test_what_a_twin_changes_is_handed_out(
    backend: RedisBackend, twin: RedisBackend, change: Callable[..., Awaitable[Any]]
) -> None:
    worker = await register(backend)
    await turn(backend, worker)

    await change(twin, worker)

    assert await eventually(lambda: turn(backend, worker))


async def test_cancellation_by_a_twin_is_told(backend: RedisBackend, twin: RedisBackend) -> None:
    worker = await register(backend)
    claim = await run_one(backend, worker)
    assert await backend.stop_requests(worker.id) == set()

    await twin.cancel([claim.id])

    assert await eventually(lambda: backend.stop_requests(worker.id)) == {claim.id}


async def test_own_cancellation_is_told_at_once(backend: RedisBackend) -> None:
    worker = await register(backend)
    claim = await run_one(backend, worker)
    assert await backend.stop_requests(worker.id) == set()

    await backend.cancel([claim.id])

    assert await backend.stop_requests(worker.id) == {claim.id}


async def test_own_enqueue_is_handed_out_at_once(backend: RedisBackend) -> None:
    worker = await register(backend)
    await turn(backend, worker)

    await backend.enqueue([make_task()])

    assert len(await turn(backend, worker)) == 1


@pytest.mark.parametrize("seconds", [-1.0, 0.3])
async def test_schedule_of_a_twin_becomes_due(backend: RedisBackend, twin: RedisBackend, seconds: float) -> None:
    assert (await backend.due_schedules()).schedules == ()

    await twin.put_schedule(make_schedule(next_at=soon(seconds)))

    async def due() -> tuple[Any, ...]:
        return (await backend.due_schedules()).schedules

    assert await eventually(due)
    assert (await backend.due_schedules()).now >= soon(-5)


async def test_schedule_stored_by_another_version_is_refused(backend: RedisBackend) -> None:
    schedule = await backend.put_schedule(make_schedule())
    await backend._store.connection.command("HSET", f"{backend._address.base}sch:report", "version", 9)

    for verb in (backend.fire(firing_of(schedule)), backend.run_schedule_now("report")):
        with pytest.raises(ConfigurationError, match="'report' is of another version of sitq"):
            await verb
    assert await backend.schedules() == [schedule]
