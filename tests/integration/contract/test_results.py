"""results: what tasks have come to, several in one trip, with values only where final."""

from datetime import UTC, datetime, timedelta

from contract.builders import claim_all, eventually, failure, make_task, run_one, success
from sitq.backends.base import Backend
from sitq.core import Result, TaskStatus, WorkerInfo


async def result_of(backend: Backend, task_id: str) -> Result:
    return (await backend.results([task_id]))[task_id]


async def test_results_leave_unknown_ids_out(backend: Backend) -> None:
    task = make_task()
    await backend.enqueue([task])

    assert set(await backend.results(["unknown", task.id])) == {task.id}


async def test_results_of_nothing_are_empty(backend: Backend) -> None:
    assert await backend.results([]) == {}


async def test_result_of_a_pending_task_has_no_outcome(backend: Backend) -> None:
    task = make_task()
    await backend.enqueue([task])

    result = await result_of(backend, task.id)

    assert (result.task_id, result.status, result.attempt) == (task.id, TaskStatus.PENDING, 0)
    assert (result.value, result.started_at, result.finished_at, result.worker) == (None, None, None, None)


async def test_result_of_a_running_task_tells_its_worker(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)

    result = await result_of(backend, claim.id)

    assert (result.status, result.attempt, result.worker) == (TaskStatus.RUNNING, 1, worker.id)
    assert (result.value, result.finished_at) == (None, None)


async def test_result_of_a_successful_task_has_its_value(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    await backend.finish([success(claim, b"42")])

    result = await result_of(backend, claim.id)

    assert (result.status, result.value, result.error) == (TaskStatus.SUCCESS, b"42", None)
    assert (result.attempt, result.worker) == (1, worker.id)


async def test_result_of_a_failed_task_has_its_error(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    await backend.finish([failure(claim)])

    result = await result_of(backend, claim.id)

    assert (result.status, result.value, result.error) == (TaskStatus.FAILED, None, "ValueError: no")
    assert result.traceback == failure(claim).traceback


async def test_result_tells_its_moments_in_order_and_in_utc(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    await backend.finish([success(claim)])

    result = await result_of(backend, claim.id)

    moments = [result.enqueued_at, result.started_at, result.finished_at]
    assert moments == sorted(moments)
    assert all(moment.utcoffset() == timedelta(0) for moment in moments)
    assert abs(datetime.now(UTC) - moments[0]) < timedelta(seconds=5)


async def test_results_read_several_at_once(backend: Backend, worker: WorkerInfo) -> None:
    await backend.enqueue([make_task() for _ in range(50)])
    claims = await claim_all(backend, worker)
    await backend.finish([success(claim, str(number).encode()) for number, claim in enumerate(claims)])

    results = await backend.results([claim.id for claim in claims])

    assert [results[claim.id].value for claim in claims] == [str(number).encode() for number in range(50)]


async def test_results_take_tens_of_thousands_of_ids(backend: Backend) -> None:
    tasks = [make_task() for _ in range(10)]
    await backend.enqueue(tasks)
    unknown = [f"unknown-{number}" for number in range(40_000)]

    results = await backend.results([*unknown, *(task.id for task in tasks)])

    assert set(results) == {task.id for task in tasks}


async def test_result_is_seen_by_a_twin(backend: Backend, twin: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    await backend.finish([success(claim, b"42")])

    async def value() -> bytes | None:
        return (await result_of(twin, claim.id)).value

    assert await eventually(value) == b"42"
