"""What a dead or frozen worker held: it goes to another one, and whatever comes late is refused."""

import asyncio
import sys

import pytest

from contract.builders import (
    claim_all,
    eventually,
    look_up,
    lose,
    make_dead_worker,
    make_task,
    register,
    retry,
    run_one,
    success,
)
from sitq.backends.base import Backend
from sitq.core import Cause, TaskStatus, WorkerInfo


async def test_task_goes_to_another_worker_when_the_lease_is_over(
    backend: Backend, worker: WorkerInfo, other: WorkerInfo
) -> None:
    first = await run_one(backend, worker, payload=b"x" * 5000)

    (second,) = await lose(backend, [first], worker, other)

    assert (second.id, second.attempt, second.crashes, second.failures) == (first.id, 2, 1, 0)
    assert second.payload == first.payload
    assert (await look_up(backend, first.id)).worker == other.id


async def test_each_lost_attempt_is_counted(backend: Backend, worker: WorkerInfo, other: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    crashes = []
    for owner, heir in [(worker, other), (other, worker), (worker, other)]:
        await register(backend, heir)
        (claim,) = await lose(backend, [claim], owner, heir)
        crashes.append((claim.attempt, claim.crashes))

    assert crashes == [(2, 1), (3, 2), (4, 3)]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells here whether a process is surely dead")
async def test_task_of_a_surely_dead_process_goes_at_once(backend: Backend, worker: WorkerInfo) -> None:
    dead = await register(backend, make_dead_worker(), lease=3600.0)
    first = await run_one(backend, dead)

    (second,) = await eventually(lambda: claim_all(backend, worker))

    assert (second.id, second.attempt, second.crashes) == (first.id, 2, 1)


async def test_all_that_a_worker_held_is_handed_out_again(
    backend: Backend, worker: WorkerInfo, other: WorkerInfo
) -> None:
    await backend.enqueue([make_task(queue=f"lane-{number % 3}") for number in range(600)])
    held = await claim_all(backend, worker)
    await backend.heartbeat(worker, {claim.id: 1 for claim in held}, lease=0.05)
    taken: set[str] = set()

    async def take() -> bool:
        taken.update(claim.id for claim in await claim_all(backend, other))
        return len(taken) == 600

    assert await eventually(take)


async def test_lane_of_a_lost_task_is_respected(backend: Backend, worker: WorkerInfo, other: WorkerInfo) -> None:
    claim = await run_one(backend, worker, queue="mail")
    await backend.heartbeat(worker, {claim.id: 1}, lease=0.05)
    await asyncio.sleep(0.1)

    assert await claim_all(backend, other, ["video"]) == []
    assert len(await eventually(lambda: claim_all(backend, other, ["mail"]))) == 1


async def test_task_is_shown_stalled_until_another_worker_takes_it(
    backend: Backend, worker: WorkerInfo, other: WorkerInfo
) -> None:
    claim = await run_one(backend, worker)
    fresh = (await look_up(backend, claim.id)).stalled
    await backend.heartbeat(worker, {claim.id: 1}, lease=0.05)
    await asyncio.sleep(0.1)

    assert (fresh, (await look_up(backend, claim.id)).stalled) == (False, True)


async def test_late_outcome_of_a_lost_claim_is_refused(backend: Backend, worker: WorkerInfo, other: WorkerInfo) -> None:
    first = await run_one(backend, worker)
    (second,) = await lose(backend, [first], worker, other)

    assert await backend.finish([success(first, b"late")]) == set()
    assert await backend.finish([success(second, b"second")]) == {second.id}
    assert (await backend.results([first.id]))[first.id].value == b"second"


async def test_late_outcome_is_refused_after_the_second_attempt_has_ended(
    backend: Backend, worker: WorkerInfo, other: WorkerInfo
) -> None:
    first = await run_one(backend, worker)
    (second,) = await lose(backend, [first], worker, other)
    await backend.finish([success(second, b"second")])

    assert await backend.finish([retry(first)]) == set()
    assert (await backend.results([first.id]))[first.id].value == b"second"


async def test_late_outcome_that_nobody_else_claimed_is_accepted(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    await backend.heartbeat(worker, {claim.id: 1}, lease=0.05)
    await asyncio.sleep(0.1)

    assert await backend.finish([success(claim)]) == {claim.id}


async def test_lost_attempt_stays_in_the_history(backend: Backend, worker: WorkerInfo, other: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    await lose(backend, [claim], worker, other)

    first, second = await backend.attempts(claim.id)

    assert (first.attempt, first.worker, first.cause) == (1, worker.id, Cause.LOST)
    assert (second.attempt, second.worker, second.cause) == (2, other.id, None)


async def test_lost_task_that_was_cancelled_is_cancelled_instead_of_run_again(
    backend: Backend, worker: WorkerInfo, other: WorkerInfo
) -> None:
    claim = await run_one(backend, worker)
    await backend.cancel([claim.id])
    await backend.heartbeat(worker, {claim.id: 1}, lease=0.05)

    async def is_cancelled() -> bool:
        assert await claim_all(backend, other) == []
        return (await look_up(backend, claim.id)).status is TaskStatus.CANCELLED

    assert await eventually(is_cancelled)


async def test_worker_that_was_declared_dead_gets_nothing(
    backend: Backend, worker: WorkerInfo, other: WorkerInfo
) -> None:
    claim = await run_one(backend, worker)
    await lose(backend, [claim], worker, other)
    await backend.enqueue([make_task()])

    assert await claim_all(backend, worker) == []


async def test_worker_that_was_declared_dead_works_again_after_a_heartbeat(
    backend: Backend, worker: WorkerInfo, other: WorkerInfo
) -> None:
    claim = await run_one(backend, worker)
    await lose(backend, [claim], worker, other)
    await register(backend, worker)
    task = make_task()
    await backend.enqueue([task])

    assert [claim.id for claim in await claim_all(backend, worker)] == [task.id]


async def test_worker_back_from_the_dead_does_not_hold_its_old_claims(
    backend: Backend, worker: WorkerInfo, other: WorkerInfo
) -> None:
    first = await run_one(backend, worker)
    (second,) = await lose(backend, [first], worker, other)

    lost = await backend.heartbeat(worker, {first.id: first.attempt}, lease=30.0)

    assert lost == {first.id}
    assert await backend.finish([success(first)]) == set()
    assert await backend.finish([success(second)]) == {second.id}
