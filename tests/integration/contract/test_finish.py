"""finish: an outcome is written once, under the fence of its attempt, or the task is put back."""

from collections.abc import Callable

import pytest

from contract.builders import (
    cancellation,
    claim_all,
    eventually,
    failure,
    look_up,
    make_task,
    retry,
    run_one,
    success,
)
from sitq.backends.base import Backend
from sitq.core import Cause, Claim, Outcome, TaskStatus, WorkerInfo

FINAL_OUTCOMES = [success, failure, cancellation]


@pytest.mark.parametrize("end", FINAL_OUTCOMES)
async def test_finish_makes_the_task_final(
    backend: Backend, worker: WorkerInfo, end: Callable[[Claim], Outcome]
) -> None:
    claim = await run_one(backend, worker)

    accepted = await backend.finish([end(claim)])

    info = await look_up(backend, claim.id)
    assert accepted == {claim.id}
    assert info.status is end(claim).status
    assert info.finished_at is not None
    assert info.attempt == 1


@pytest.mark.parametrize("end", FINAL_OUTCOMES)
async def test_finished_task_is_never_claimed_again(
    backend: Backend, worker: WorkerInfo, end: Callable[[Claim], Outcome]
) -> None:
    claim = await run_one(backend, worker)

    await backend.finish([end(claim)])

    assert await claim_all(backend, worker) == []


@pytest.mark.parametrize("value", [None, b"", b"\x00", b"v" * 1024, b"v" * 1025, b"v" * 3_000_000])
async def test_finish_keeps_the_value_as_it_came(backend: Backend, worker: WorkerInfo, value: bytes | None) -> None:
    claim = await run_one(backend, worker)

    await backend.finish([success(claim, value)])

    assert (await backend.results([claim.id]))[claim.id].value == value


async def test_finish_keeps_error_and_traceback(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)

    await backend.finish([failure(claim)._replace(error="ValueError: größer als ∞", traceback="t" * 10_000)])

    result = (await backend.results([claim.id]))[claim.id]
    assert (result.status, result.value) == (TaskStatus.FAILED, None)
    assert (result.error, result.traceback) == ("ValueError: größer als ∞", "t" * 10_000)


async def test_finish_takes_many_outcomes_at_once(backend: Backend, worker: WorkerInfo) -> None:
    await backend.enqueue([make_task() for _ in range(500)])
    claims = await claim_all(backend, worker)

    accepted = await backend.finish([success(claim, claim.id.encode()) for claim in claims])

    results = await backend.results(accepted)
    assert len(accepted) == 500
    assert all(result.value == task_id.encode() for task_id, result in results.items())


async def test_finish_of_nothing_accepts_nothing(backend: Backend) -> None:
    assert await backend.finish([]) == set()


@pytest.mark.parametrize("attempt", [0, 1, 3])
async def test_finish_refuses_another_attempt(backend: Backend, worker: WorkerInfo, attempt: int) -> None:
    first = await run_one(backend, worker)
    await backend.finish([retry(first)])
    (second,) = await claim_all(backend, worker)

    accepted = await backend.finish([success(second)._replace(attempt=attempt)])

    assert accepted == set()
    assert (await look_up(backend, second.id)).status is TaskStatus.RUNNING


async def test_finish_refuses_a_task_that_is_not_running(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    await backend.finish([retry(claim, delay=60.0)])

    assert await backend.finish([success(claim)]) == set()
    assert (await look_up(backend, claim.id)).status is TaskStatus.PENDING


@pytest.mark.parametrize("end", FINAL_OUTCOMES)
async def test_finish_refuses_a_second_outcome(
    backend: Backend, worker: WorkerInfo, end: Callable[[Claim], Outcome]
) -> None:
    claim = await run_one(backend, worker)
    await backend.finish([success(claim, b"first")])

    assert await backend.finish([end(claim)]) == set()
    assert await backend.finish([retry(claim)]) == set()
    assert (await backend.results([claim.id]))[claim.id].value == b"first"


async def test_finish_refuses_an_unknown_task(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)

    assert await backend.finish([success(claim)._replace(id="unknown")]) == set()


async def test_finish_accepts_what_it_can_beside_what_it_refuses(backend: Backend, worker: WorkerInfo) -> None:
    await backend.enqueue([make_task(), make_task()])
    good, late = await claim_all(backend, worker)
    await backend.finish([failure(late)])

    accepted = await backend.finish([success(late), success(good)])

    assert accepted == {good.id}


async def test_finish_accepts_an_outcome_that_came_with_a_cancellation(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    await backend.cancel([claim.id])

    assert await backend.finish([success(claim)]) == {claim.id}
    assert (await look_up(backend, claim.id)).status is TaskStatus.SUCCESS


async def test_finish_with_pending_puts_the_task_back(backend: Backend, worker: WorkerInfo) -> None:
    first = await run_one(backend, worker, payload=b"once more", max_attempts=3)

    accepted = await backend.finish([retry(first)])

    (second,) = await claim_all(backend, worker)
    assert accepted == {first.id}
    assert (second.id, second.attempt, second.payload) == (first.id, 2, b"once more")


async def test_task_put_back_is_pending_until_its_delay_is_over(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)

    await backend.finish([retry(claim, delay=60.0)])

    info = await look_up(backend, claim.id)
    assert await claim_all(backend, worker) == []
    assert info.status is TaskStatus.PENDING
    assert info.finished_at is None
    assert 55 < (info.due_at - info.enqueued_at).total_seconds() < 65


async def test_task_put_back_is_claimed_when_its_delay_is_over(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)

    await backend.finish([retry(claim, delay=0.1)])

    (second,) = await eventually(lambda: claim_all(backend, worker))
    assert second.attempt == 2


@pytest.mark.parametrize(
    ("cause", "failures", "crashes"),
    [(Cause.ERROR, 1, 0), (Cause.TIMEOUT, 1, 0), (Cause.LOST, 0, 1), (Cause.RELEASED, 0, 0)],
)
async def test_cause_of_a_retry_decides_which_budget_pays(
    backend: Backend, worker: WorkerInfo, cause: Cause, failures: int, crashes: int
) -> None:
    first = await run_one(backend, worker)

    await backend.finish([retry(first, cause)])

    (second,) = await claim_all(backend, worker)
    assert (second.attempt, second.failures, second.crashes) == (2, failures, crashes)


async def test_budgets_add_up_over_attempts(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    for cause in (Cause.ERROR, Cause.RELEASED, Cause.TIMEOUT, Cause.LOST, Cause.ERROR):
        await backend.finish([retry(claim, cause)])
        (claim,) = await claim_all(backend, worker)

    info = await look_up(backend, claim.id)
    assert (claim.attempt, claim.failures, claim.crashes) == (6, 3, 1)
    assert (info.attempt, info.failures, info.crashes) == (6, 3, 1)


async def test_retries_stay_in_the_history(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    for cause in (Cause.ERROR, Cause.RELEASED, Cause.TIMEOUT):
        await backend.finish([retry(claim, cause)])
        (claim,) = await claim_all(backend, worker)
    await backend.finish([success(claim)])

    causes = [attempt.cause for attempt in await backend.attempts(claim.id)]

    assert causes == [Cause.ERROR, Cause.RELEASED, Cause.TIMEOUT, Cause.SUCCESS]


async def test_attempt_that_never_began_leaves_no_history(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)

    await backend.finish([retry(claim, Cause.RELEASED)._replace(duration=0.0)])

    assert await backend.attempts(claim.id) == []


async def test_success_after_a_retry_has_no_error(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    await backend.finish([retry(claim)])
    (claim,) = await claim_all(backend, worker)

    await backend.finish([success(claim)])

    result = (await backend.results([claim.id]))[claim.id]
    assert (result.status, result.error, result.traceback) == (TaskStatus.SUCCESS, None, None)


async def test_error_of_an_earlier_attempt_stays_when_the_next_is_given_back(
    backend: Backend, worker: WorkerInfo
) -> None:
    claim = await run_one(backend, worker)
    await backend.finish([retry(claim)])
    (claim,) = await claim_all(backend, worker)

    await backend.finish([retry(claim, Cause.RELEASED)._replace(error=None)])

    assert (await look_up(backend, claim.id)).error == "ValueError: no"
