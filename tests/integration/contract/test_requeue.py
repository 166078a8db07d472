"""requeue: failed and cancelled tasks run again, with fresh budgets."""

import asyncio
from collections.abc import Callable

import pytest

from contract.builders import (
    HOUR,
    cancellation,
    claim_all,
    failure,
    look_up,
    lose,
    make_task,
    retry,
    run_one,
    success,
)
from sitq.backends.base import Backend
from sitq.core import Cause, Claim, Outcome, TaskStatus, WorkerInfo


@pytest.mark.parametrize("end", [failure, cancellation])
async def test_requeue_makes_a_task_pending_again(
    backend: Backend, worker: WorkerInfo, end: Callable[[Claim], Outcome]
) -> None:
    claim = await run_one(backend, worker)
    await backend.finish([end(claim)])

    reached = await backend.requeue([claim.id])

    info = await look_up(backend, claim.id)
    assert reached == {claim.id}
    assert (info.status, info.finished_at) == (TaskStatus.PENDING, None)


async def test_requeued_task_is_claimed_with_its_payload_and_the_next_attempt(
    backend: Backend, worker: WorkerInfo
) -> None:
    claim = await run_one(backend, worker, payload=b"p" * 5000)
    await backend.finish([failure(claim)])
    await backend.requeue([claim.id])

    (again,) = await claim_all(backend, worker)

    assert (again.id, again.attempt, again.payload) == (claim.id, 2, claim.payload)


async def test_requeue_gives_fresh_budgets(backend: Backend, worker: WorkerInfo, other: WorkerInfo) -> None:
    claim = await run_one(backend, worker, max_attempts=2)
    await backend.finish([retry(claim)])
    claims = await claim_all(backend, worker)
    (claim,) = await lose(backend, claims, worker, other)
    await backend.finish([failure(claim)])

    await backend.requeue([claim.id])

    (again,) = await claim_all(backend, other)
    assert (again.attempt, again.failures, again.crashes) == (4, 0, 0)


async def test_requeued_task_has_no_outcome_until_it_has_ended_again(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    await backend.finish([failure(claim)])
    await backend.requeue([claim.id])

    result = (await backend.results([claim.id]))[claim.id]

    assert (result.status, result.value, result.finished_at) == (TaskStatus.PENDING, None, None)


async def test_requeued_task_may_succeed(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    await backend.finish([failure(claim)])
    await backend.requeue([claim.id])
    (again,) = await claim_all(backend, worker)

    await backend.finish([success(again)])

    result = (await backend.results([claim.id]))[claim.id]
    assert (result.status, result.value, result.error) == (TaskStatus.SUCCESS, b"value", None)


async def test_requeue_keeps_the_history(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    await backend.finish([failure(claim)])
    await backend.requeue([claim.id])
    await claim_all(backend, worker)

    attempts = await backend.attempts(claim.id)

    assert [(attempt.attempt, attempt.cause) for attempt in attempts] == [(1, Cause.ERROR), (2, None)]


async def test_requeue_makes_a_scheduled_task_that_was_cancelled_due_now(backend: Backend, worker: WorkerInfo) -> None:
    task = make_task(delay=HOUR)
    await backend.enqueue([task])
    await backend.cancel([task.id])

    await backend.requeue([task.id])

    assert [claim.id for claim in await claim_all(backend, worker)] == [task.id]


async def test_requeue_forgets_the_request_to_cancel(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    await backend.cancel([claim.id])
    await backend.finish([cancellation(claim)])
    await backend.requeue([claim.id])

    (again,) = await claim_all(backend, worker)

    assert not (await look_up(backend, again.id)).cancel_requested
    assert await backend.stop_requests(worker.id) == set()


async def test_requeue_lets_a_task_start_that_had_expired(backend: Backend, worker: WorkerInfo) -> None:
    task = make_task(expires=0.05)
    await backend.enqueue([task])
    await asyncio.sleep(0.1)
    await claim_all(backend, worker)

    await backend.requeue([task.id])

    assert [claim.id for claim in await claim_all(backend, worker)] == [task.id]


async def test_requeue_leaves_other_tasks_alone(backend: Backend, worker: WorkerInfo) -> None:
    succeeded = await run_one(backend, worker)
    await backend.finish([success(succeeded)])
    running = await run_one(backend, worker)
    pending = make_task(delay=HOUR)
    await backend.enqueue([pending])

    reached = await backend.requeue([succeeded.id, running.id, pending.id, "unknown"])

    assert reached == set()
    assert await claim_all(backend, worker) == []
    assert await backend.finish([success(running)]) == {running.id}


async def test_requeue_of_nothing_reaches_nothing(backend: Backend) -> None:
    assert await backend.requeue([]) == set()


async def test_outcome_from_before_the_requeue_is_refused(backend: Backend, worker: WorkerInfo) -> None:
    first = await run_one(backend, worker)
    await backend.finish([failure(first)])
    await backend.requeue([first.id])
    await claim_all(backend, worker)

    assert await backend.finish([success(first)]) == set()
