"""restore and stored_schedules: what one store kept is kept by another as it was."""

from datetime import UTC, datetime

import pytest

from contract.builders import HOUR, claim_all, make_task, success
from sitq.backends.base import Backend
from sitq.core import OnFailure, Result, Task, TaskStatus, WorkerInfo
from sitq.recurring import Schedule

NINE = datetime(2026, 3, 29, 9, 0, 0, 250, UTC)
TEN = datetime(2026, 3, 29, 10, 0, tzinfo=UTC)


def ended(status: TaskStatus = TaskStatus.SUCCESS, **overrides: object) -> tuple[Task, Result]:
    task = make_task(queue="mail", tags=("a",), expires=90.5, timeout=2.5, retention=HOUR)
    facts = {"enqueued_at": NINE, "started_at": NINE, "finished_at": TEN, "attempt": 2}
    return task, Result(**{"task_id": task.id, "status": status, **facts, **overrides})  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [b"value", b"", b"x" * 100_000])
async def test_a_restored_task_has_its_value_and_its_moments(backend: Backend, value: bytes) -> None:
    task, result = ended(value=value)

    assert await backend.restore([(task, result)]) == {task.id}

    assert await backend.results([task.id]) == {task.id: result}
    assert await backend.tasks([task.id]) == {task.id: task}


@pytest.mark.parametrize("status", [TaskStatus.FAILED, TaskStatus.CANCELLED])
async def test_a_restored_task_has_its_error(backend: Backend, status: TaskStatus) -> None:
    task, result = ended(status, error="ValueError: no", traceback="Traceback …")

    await backend.restore([(task, result)])

    assert await backend.results([task.id]) == {task.id: result}


async def test_restored_tasks_are_counted_and_never_claimed(backend: Backend, worker: WorkerInfo) -> None:
    await backend.restore([ended(value=b"1"), ended(TaskStatus.FAILED), ended(TaskStatus.CANCELLED)])

    (lane,) = (await backend.stats()).queues
    assert (lane.queue, lane.pending, lane.success, lane.failed, lane.cancelled) == ("mail", 0, 1, 1, 1)
    assert await claim_all(backend, worker) == []


async def test_an_id_that_exists_is_left_as_it_is(backend: Backend) -> None:
    task, result = ended(value=b"1")
    await backend.enqueue([task])

    assert await backend.restore([(task, result)]) == set()

    assert (await backend.results([task.id]))[task.id].status == "pending"


async def test_a_task_may_need_a_restored_one(backend: Backend, worker: WorkerInfo) -> None:
    task, result = ended(value=b"1")
    await backend.restore([(task, result)])
    (waiting,) = await backend.enqueue([make_task(needs=(task.id,))])

    (claim,) = await claim_all(backend, worker)

    assert (claim.id, claim.waited) == (waiting, True)
    assert (await backend.inputs(waiting))[task.id].value == b"1"


async def test_a_restored_task_knows_what_it_needed_and_is_here(backend: Backend) -> None:
    first, result = ended(value=b"1")
    second = make_task(needs=(first.id, "gone"), on_failure=OnFailure.RUN)
    await backend.restore([(first, result), (second, Result(task_id=second.id, status=TaskStatus.SUCCESS, value=b"2"))])

    assert await backend.needs(second.id) == [first.id]


async def test_a_restored_task_can_be_requeued(backend: Backend, worker: WorkerInfo) -> None:
    task, result = ended(TaskStatus.FAILED, error="ValueError: no")
    await backend.restore([(task, result)])

    assert await backend.requeue([task.id]) == {task.id}

    (claim,) = await claim_all(backend, worker)
    assert (claim.payload, claim.attempt) == (task.payload, 3)
    assert await backend.finish([success(claim)]) == {task.id}


async def test_retention_counts_from_the_end_elsewhere(backend: Backend) -> None:
    task, result = ended(value=b"1")
    await backend.restore([(task, result)])

    assert await backend.purge() == 1


async def test_schedules_are_read_as_they_were_put(backend: Backend) -> None:
    task = make_task(queue="mail", tags=("a", "b"), payload=b"\x00call", max_attempts=3)
    await backend.put_schedule(Schedule(name="b", task=task, every=60.0, next_at=TEN))
    await backend.put_schedule(Schedule(name="a", task=task, cron="0 8 * * *", timezone="Europe/Berlin", next_at=TEN))

    first, second = await backend.stored_schedules()

    assert (first.name, first.cron, first.timezone, first.catch_up) == ("a", "0 8 * * *", "Europe/Berlin", "last")
    assert (second.name, second.every, second.next_at) == ("b", 60.0, TEN)
    assert first.task._replace(id=task.id) == task
