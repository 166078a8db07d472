"""attempts: the history of a task, the first run first, the running one included."""

from contract.builders import claim_all, make_task, retry, run_one, success
from sitq.backends.base import Backend
from sitq.core import Cause, WorkerInfo


async def test_task_that_never_ran_has_no_attempts(backend: Backend) -> None:
    task = make_task()
    await backend.enqueue([task])

    assert await backend.attempts(task.id) == []


async def test_unknown_task_has_no_attempts(backend: Backend) -> None:
    assert await backend.attempts("unknown") == []


async def test_attempts_include_the_running_one(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)

    (attempt,) = await backend.attempts(claim.id)

    assert (attempt.task_id, attempt.attempt, attempt.worker) == (claim.id, 1, worker.id)
    assert attempt.started_at is not None
    assert (attempt.finished_at, attempt.cause, attempt.error) == (None, None, None)


async def test_attempts_have_the_first_one_first(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    for _ in range(11):
        await backend.finish([retry(claim)])
        (claim,) = await claim_all(backend, worker)

    attempts = await backend.attempts(claim.id)

    assert [attempt.attempt for attempt in attempts] == list(range(1, 13))


async def test_attempts_tell_error_and_traceback_of_each(backend: Backend, worker: WorkerInfo) -> None:
    first = await run_one(backend, worker)
    await backend.finish([retry(first, Cause.TIMEOUT)])
    (second,) = await claim_all(backend, worker)
    await backend.finish([success(second)])

    failed, succeeded = await backend.attempts(first.id)

    assert (failed.cause, failed.error, failed.traceback) == (
        Cause.TIMEOUT,
        "ValueError: no",
        "Traceback: line 1\nValueError: no\n",
    )
    assert (succeeded.cause, succeeded.error, succeeded.traceback) == (Cause.SUCCESS, None, None)


async def test_attempts_tell_the_worker_of_each(backend: Backend, worker: WorkerInfo, other: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    await backend.finish([retry(claim)])
    await claim_all(backend, other)

    workers = [attempt.worker for attempt in await backend.attempts(claim.id)]

    assert workers == [worker.id, other.id]


async def test_attempts_tell_their_moments_in_order(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    await backend.finish([retry(claim)])
    (claim,) = await claim_all(backend, worker)
    await backend.finish([success(claim)])

    attempts = await backend.attempts(claim.id)

    moments = [moment for attempt in attempts for moment in (attempt.started_at, attempt.finished_at)]
    assert None not in moments
    assert moments == sorted(moments)
