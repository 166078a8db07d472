"""purge: final tasks go when their retention is over, in slices."""

import asyncio
from typing import Any

import pytest

from contract.builders import HOUR, cancellation, claim_all, failure, make_task, run_one, success
from sitq.backends.base import Backend
from sitq.core import Claim, TaskStatus, WorkerInfo


async def finished(backend: Backend, worker: WorkerInfo, **overrides: Any) -> Claim:
    claim = await run_one(backend, worker, **overrides)
    await backend.finish([success(claim)])
    return claim


async def exists(backend: Backend, claim: Claim) -> bool:
    return bool(await backend.results([claim.id]))


async def test_purge_removes_tasks_whose_retention_is_over(backend: Backend, worker: WorkerInfo) -> None:
    short = await finished(backend, worker, retention=0.05)
    long = await finished(backend, worker, retention=HOUR)
    await asyncio.sleep(0.1)

    assert await backend.purge() == 1
    assert (await exists(backend, short), await exists(backend, long)) == (False, True)


async def test_purge_keeps_tasks_without_a_retention(backend: Backend, worker: WorkerInfo) -> None:
    claim = await finished(backend, worker, retention=None)

    assert await backend.purge() == 0
    assert await exists(backend, claim)


async def test_retention_counts_from_the_end_of_the_task(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker, retention=0.3)
    await asyncio.sleep(0.35)
    await backend.finish([success(claim)])

    assert await backend.purge() == 0


async def test_purge_by_age_removes_what_ended_earlier(backend: Backend, worker: WorkerInfo) -> None:
    await finished(backend, worker)
    await finished(backend, worker, retention=HOUR)

    assert await backend.purge(older_than=60.0) == 0
    assert await backend.purge(older_than=0.0) == 2


async def test_purge_by_age_takes_the_place_of_the_retention(backend: Backend, worker: WorkerInfo) -> None:
    claim = await finished(backend, worker, retention=0.0)

    await backend.purge(older_than=60.0)

    assert await exists(backend, claim)


@pytest.mark.parametrize("status", [TaskStatus.SUCCESS, TaskStatus.FAILED, TaskStatus.CANCELLED])
async def test_purge_removes_only_the_statuses_asked_for(
    backend: Backend, worker: WorkerInfo, status: TaskStatus
) -> None:
    await backend.enqueue([make_task() for _ in range(3)])
    good, bad, stopped = await claim_all(backend, worker)
    await backend.finish([success(good), failure(bad), cancellation(stopped)])

    removed = await backend.purge(older_than=0.0, statuses=[status])

    left = await backend.results([good.id, bad.id, stopped.id])
    assert removed == 1
    assert status not in {result.status for result in left.values()}


async def test_purge_by_retention_removes_only_the_statuses_asked_for(backend: Backend, worker: WorkerInfo) -> None:
    claim = await finished(backend, worker, retention=0.0)
    await asyncio.sleep(0.05)

    assert await backend.purge(statuses=[TaskStatus.FAILED]) == 0
    assert await exists(backend, claim)
    assert await backend.purge(statuses=[TaskStatus.SUCCESS, TaskStatus.FAILED]) == 1


async def test_purge_removes_no_more_than_the_limit(backend: Backend, worker: WorkerInfo) -> None:
    await backend.enqueue([make_task() for _ in range(7)])
    await backend.finish([success(claim) for claim in await claim_all(backend, worker)])

    slices = [await backend.purge(older_than=0.0, limit=3) for _ in range(4)]

    assert slices == [3, 3, 1, 0]


async def test_purge_leaves_what_is_not_final(backend: Backend, worker: WorkerInfo) -> None:
    running = await run_one(backend, worker, retention=0.0)
    pending = make_task(delay=HOUR, retention=0.0)
    await backend.enqueue([pending])
    await asyncio.sleep(0.05)

    assert await backend.purge() == 0
    assert await backend.purge(older_than=0.0) == 0
    assert set(await backend.results([running.id, pending.id])) == {running.id, pending.id}


async def test_purge_removes_a_task_that_was_cancelled_while_pending(backend: Backend) -> None:
    task = make_task(retention=0.0)
    await backend.enqueue([task])
    await backend.cancel([task.id])
    await asyncio.sleep(0.05)

    assert await backend.purge() == 1


async def test_purge_removes_the_attempts_too(backend: Backend, worker: WorkerInfo) -> None:
    claim = await finished(backend, worker)

    await backend.purge(older_than=0.0)

    assert await backend.attempts(claim.id) == []


async def test_purge_leaves_a_task_that_was_requeued(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker, retention=0.0)
    await backend.finish([failure(claim)])
    await backend.requeue([claim.id])
    await asyncio.sleep(0.05)

    assert await backend.purge() == 0
    assert await backend.purge(older_than=0.0) == 0
