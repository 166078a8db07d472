"""heartbeat and stop_requests: presence, leases, goodbye, and what must stop."""

import asyncio

from contract.builders import (
    claim_all,
    eventually,
    look_up,
    lose,
    make_task,
    register,
    retry,
    run_one,
    success,
)
from sitq.backends.base import Backend
from sitq.core import Cause, TaskStatus, WorkerInfo


async def test_heartbeat_renews_all_leases(backend: Backend, worker: WorkerInfo, other: WorkerInfo) -> None:
    await backend.enqueue([make_task() for _ in range(20)])
    running = {claim.id: claim.attempt for claim in await claim_all(backend, worker)}
    await backend.heartbeat(worker, running, lease=0.2)

    answer = await backend.heartbeat(worker, running, lease=30.0)

    await asyncio.sleep(0.3)
    assert answer == set()
    assert await claim_all(backend, other) == []


async def test_heartbeat_tells_cancelled_claims(backend: Backend, worker: WorkerInfo) -> None:
    await backend.enqueue([make_task(), make_task()])
    running = {claim.id: claim.attempt for claim in await claim_all(backend, worker)}
    cancelled = next(iter(running))
    await backend.cancel([cancelled])

    assert await backend.heartbeat(worker, running, lease=30.0) == {cancelled}


async def test_heartbeat_tells_cancelled_claims_until_they_have_ended(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    await backend.cancel([claim.id])
    first = await backend.heartbeat(worker, {claim.id: 1}, lease=30.0)
    second = await backend.heartbeat(worker, {claim.id: 1}, lease=30.0)
    await backend.finish([success(claim)])

    assert first == second == {claim.id}
    assert await backend.heartbeat(worker, {}, lease=30.0) == set()


async def test_heartbeat_tells_lost_claims(backend: Backend, worker: WorkerInfo, other: WorkerInfo) -> None:
    await backend.enqueue([make_task(), make_task()])
    claims = await claim_all(backend, worker)
    await lose(backend, claims, worker, other)

    answer = await backend.heartbeat(worker, {claim.id: claim.attempt for claim in claims}, lease=30.0)

    assert answer == {claim.id for claim in claims}


async def test_heartbeat_tells_a_claim_lost_to_a_later_attempt_of_its_own(backend: Backend, worker: WorkerInfo) -> None:
    first = await run_one(backend, worker)
    await backend.finish([retry(first)])
    await claim_all(backend, worker)

    assert await backend.heartbeat(worker, {first.id: first.attempt}, lease=30.0) == {first.id}


async def test_heartbeat_tells_claims_of_unknown_tasks_lost(backend: Backend, worker: WorkerInfo) -> None:
    assert await backend.heartbeat(worker, {"unknown": 1}, lease=30.0) == {"unknown"}


async def test_heartbeat_does_not_tell_of_other_workers_cancellations(
    backend: Backend, worker: WorkerInfo, other: WorkerInfo
) -> None:
    claim = await run_one(backend, worker)
    await backend.cancel([claim.id])

    assert await backend.heartbeat(other, {}, lease=30.0) == set()


async def test_goodbye_gives_the_rest_back_unspent(backend: Backend, worker: WorkerInfo, other: WorkerInfo) -> None:
    first = await run_one(backend, worker, max_attempts=1)

    await backend.heartbeat(worker, {first.id: 1}, lease=0)

    (second,) = await claim_all(backend, other)
    assert (second.id, second.failures, second.crashes) == (first.id, 0, 0)
    assert second.attempt > first.attempt


async def test_goodbye_refuses_what_comes_after_it(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)

    await backend.heartbeat(worker, {claim.id: 1}, lease=0)

    assert await backend.finish([success(claim)]) == set()
    assert (await look_up(backend, claim.id)).status is TaskStatus.PENDING


async def test_goodbye_leaves_finished_tasks_and_other_workers_alone(
    backend: Backend, worker: WorkerInfo, other: WorkerInfo
) -> None:
    finished = await run_one(backend, worker)
    await backend.finish([success(finished)])
    running = await run_one(backend, other)

    await backend.heartbeat(worker, {}, lease=0)

    assert (await look_up(backend, finished.id)).status is TaskStatus.SUCCESS
    assert await backend.heartbeat(other, {running.id: 1}, lease=30.0) == set()


async def test_goodbye_stays_in_the_history_as_released(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)

    await backend.heartbeat(worker, {claim.id: 1}, lease=0)

    assert [attempt.cause for attempt in await backend.attempts(claim.id)] == [Cause.RELEASED]


async def test_goodbye_cancels_what_was_to_be_cancelled(
    backend: Backend, worker: WorkerInfo, other: WorkerInfo
) -> None:
    claim = await run_one(backend, worker)
    await backend.cancel([claim.id])

    await backend.heartbeat(worker, {claim.id: 1}, lease=0)

    assert await claim_all(backend, other) == []
    assert (await look_up(backend, claim.id)).status is TaskStatus.CANCELLED


async def test_worker_gets_nothing_after_its_goodbye(backend: Backend, worker: WorkerInfo) -> None:
    await backend.heartbeat(worker, {}, lease=0)
    await backend.enqueue([make_task()])

    assert await claim_all(backend, worker) == []


async def test_goodbye_twice_is_harmless(backend: Backend, worker: WorkerInfo) -> None:
    await backend.heartbeat(worker, {}, lease=0)

    assert await backend.heartbeat(worker, {}, lease=0) == set()


async def test_worker_that_was_declared_dead_is_alive_after_a_heartbeat(
    backend: Backend, worker: WorkerInfo, other: WorkerInfo
) -> None:
    claim = await run_one(backend, worker)
    await lose(backend, [claim], worker, other)

    await register(backend, worker)

    alive = {seen.id for seen in (await backend.stats()).workers if seen.alive}
    assert alive == {worker.id, other.id}


async def test_worker_may_register_with_a_lease_that_has_run_out(backend: Backend, worker: WorkerInfo) -> None:
    await backend.heartbeat(worker, {}, lease=0.05)
    await asyncio.sleep(0.1)
    await backend.heartbeat(worker, {}, lease=30.0)

    claim = await run_one(backend, worker)

    assert claim.crashes == 0


async def test_stop_requests_tells_the_cancelled_running_tasks(backend: Backend, worker: WorkerInfo) -> None:
    await backend.enqueue([make_task(), make_task()])
    first, _ = await claim_all(backend, worker)

    before = await backend.stop_requests(worker.id)
    await backend.cancel([first.id])

    assert (before, await backend.stop_requests(worker.id)) == (set(), {first.id})


async def test_stop_requests_are_seen_by_a_twin(backend: Backend, twin: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)

    await twin.cancel([claim.id])

    assert await eventually(lambda: backend.stop_requests(worker.id)) == {claim.id}


async def test_stop_requests_are_those_of_one_worker(backend: Backend, worker: WorkerInfo, other: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    await backend.cancel([claim.id])

    assert await backend.stop_requests(other.id) == set()
    assert await backend.stop_requests("unknown") == set()


async def test_stop_requests_end_with_the_task(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    await backend.cancel([claim.id])

    await backend.finish([success(claim)])

    assert await backend.stop_requests(worker.id) == set()
