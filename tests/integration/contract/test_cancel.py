"""cancel: pending tasks at once, running ones are asked, final ones are left."""

import pytest

from contract.builders import HOUR, claim_all, failure, look_up, make_task, run_one, success
from sitq.backends.base import Backend
from sitq.core import TaskStatus, WorkerInfo


@pytest.mark.parametrize("delay", [0.0, HOUR])
async def test_cancel_makes_a_pending_task_cancelled(backend: Backend, delay: float) -> None:
    task = make_task(delay=delay)
    await backend.enqueue([task])

    reached = await backend.cancel([task.id])

    info = await look_up(backend, task.id)
    assert reached == {task.id}
    assert info.status is TaskStatus.CANCELLED
    assert info.finished_at is not None


async def test_cancel_asks_a_running_task_to_stop(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)

    reached = await backend.cancel([claim.id])

    info = await look_up(backend, claim.id)
    assert reached == {claim.id}
    assert (info.status, info.cancel_requested) == (TaskStatus.RUNNING, True)


async def test_cancel_leaves_final_tasks_alone(backend: Backend, worker: WorkerInfo) -> None:
    await backend.enqueue([make_task(), make_task()])
    good, bad = await claim_all(backend, worker)
    await backend.finish([success(good), failure(bad)])
    before = [await look_up(backend, task_id) for task_id in (good.id, bad.id)]

    reached = await backend.cancel([good.id, bad.id])

    assert reached == set()
    assert [await look_up(backend, task_id) for task_id in (good.id, bad.id)] == before


async def test_cancel_twice_reaches_a_pending_task_once(backend: Backend) -> None:
    task = make_task()
    await backend.enqueue([task])
    await backend.cancel([task.id])

    assert await backend.cancel([task.id]) == set()


async def test_cancel_skips_unknown_ids(backend: Backend) -> None:
    task = make_task()
    await backend.enqueue([task])

    assert await backend.cancel(["unknown", task.id]) == {task.id}


async def test_cancel_of_nothing_reaches_nothing(backend: Backend) -> None:
    await backend.enqueue([make_task()])

    assert await backend.cancel([]) == set()


async def test_cancel_takes_thousands_at_once(backend: Backend) -> None:
    tasks = [make_task() for _ in range(2000)]
    await backend.enqueue(tasks)

    reached = await backend.cancel([task.id for task in tasks])

    assert len(reached) == 2000
    assert (await backend.stats()).count(TaskStatus.CANCELLED) == 2000


async def test_cancelled_task_has_a_result_without_a_value(backend: Backend) -> None:
    task = make_task()
    await backend.enqueue([task])
    await backend.cancel([task.id])

    result = (await backend.results([task.id]))[task.id]

    assert (result.status, result.value) == (TaskStatus.CANCELLED, None)
    assert result.finished_at is not None
