"""enqueue: all or none, in order, and an id that exists is left as it is."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from contract.builders import HOUR, claim_all, look_up, make_task, retry, run_one, success
from sitq.backends.base import Backend
from sitq.core import OnConflict, TaskStatus, WorkerInfo
from sitq.exceptions import TaskQueueError

SIZES = [0, 1, 1023, 1024, 1025, 3 * 1024 * 1024]


def patterned(size: int) -> bytes:
    """Bytes of every value, in an order that a lost or doubled piece would disturb."""
    block = b"".join(bytes([number % 256, number // 256 % 256, 7]) for number in range(4096))
    return (block * (size // len(block) + 1))[:size]


async def test_enqueue_tells_ids_in_the_order_given(backend: Backend) -> None:
    tasks = [make_task() for _ in range(5)]

    ids = await backend.enqueue(list(reversed(tasks)))

    assert ids == [task.id for task in reversed(tasks)]


async def test_enqueue_of_nothing_stores_nothing(backend: Backend) -> None:
    assert await backend.enqueue([]) == []


async def test_enqueue_takes_thousands_at_once(backend: Backend) -> None:
    tasks = [make_task() for _ in range(3000)]

    ids = await backend.enqueue(tasks)

    assert ids == [task.id for task in tasks]
    assert (await backend.stats()).count(TaskStatus.PENDING) == 3000


async def test_enqueue_leaves_a_pending_task_with_the_same_id_alone(backend: Backend, worker: WorkerInfo) -> None:
    task = make_task(payload=b"first")
    await backend.enqueue([task])

    ids = await backend.enqueue([make_task(id=task.id, payload=b"second")])

    assert ids == [task.id]
    assert [claim.payload for claim in await claim_all(backend, worker)] == [b"first"]


async def test_enqueue_leaves_a_finished_task_with_the_same_id_alone(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    await backend.finish([success(claim)])

    await backend.enqueue([make_task(id=claim.id)])

    assert (await backend.results([claim.id]))[claim.id].value == b"value"
    assert await claim_all(backend, worker) == []


async def test_enqueue_stores_an_id_once_that_comes_twice_in_a_batch(backend: Backend, worker: WorkerInfo) -> None:
    task = make_task()

    ids = await backend.enqueue([task, task])

    assert ids == [task.id, task.id]
    assert [claim.id for claim in await claim_all(backend, worker)] == [task.id]


async def test_enqueue_stores_none_when_one_is_refused(backend: Backend) -> None:
    await backend.enqueue([make_task(key="report")])
    innocent = [make_task(), make_task()]
    refused = make_task(key="report", on_conflict=OnConflict.RAISE)

    with pytest.raises(TaskQueueError, match="report"):
        await backend.enqueue([innocent[0], refused, innocent[1]])

    assert await backend.results([task.id for task in [*innocent, refused]]) == {}


async def test_enqueue_that_is_refused_does_not_harm_those_beside_it(backend: Backend) -> None:
    await backend.enqueue([make_task(key="report")])
    refused = make_task(key="report", on_conflict=OnConflict.RAISE)
    innocent = [make_task() for _ in range(10)]

    answers = await asyncio.gather(
        *(backend.enqueue([task]) for task in [*innocent[:5], refused, *innocent[5:]]), return_exceptions=True
    )

    assert isinstance(answers.pop(5), TaskQueueError)
    assert answers == [[task.id] for task in innocent]
    assert len(await backend.results([task.id for task in innocent])) == 10


async def test_enqueue_by_many_callers_at_once_stores_all(backend: Backend, twin: Backend) -> None:
    tasks = [make_task() for _ in range(200)]
    doors = [backend, twin] * 100

    answers = await asyncio.gather(*(door.enqueue([task]) for door, task in zip(doors, tasks, strict=True)))

    assert answers == [[task.id] for task in tasks]
    assert len(await backend.results([task.id for task in tasks])) == 200


@pytest.mark.parametrize("size", SIZES)
async def test_payload_arrives_as_it_was_enqueued(backend: Backend, worker: WorkerInfo, size: int) -> None:
    claim = await run_one(backend, worker, payload=patterned(size))

    assert claim.payload == patterned(size)


@pytest.mark.parametrize("size", SIZES)
async def test_payload_is_still_there_for_the_second_attempt(backend: Backend, worker: WorkerInfo, size: int) -> None:
    first = await run_one(backend, worker, payload=patterned(size))
    await backend.finish([retry(first)])

    (second,) = await claim_all(backend, worker)

    assert second.payload == patterned(size)


async def test_enqueue_with_eta_is_due_then(backend: Backend) -> None:
    eta = datetime.now(UTC) + timedelta(hours=1)
    task = make_task(eta=eta)
    await backend.enqueue([task])

    info = await look_up(backend, task.id)

    assert abs(info.due_at - eta) < timedelta(milliseconds=2)


async def test_enqueue_takes_an_eta_of_any_timezone(backend: Backend) -> None:
    eta = datetime.now(UTC) + timedelta(hours=1)
    task = make_task(eta=eta.astimezone(tz=datetime.now().astimezone().tzinfo))
    await backend.enqueue([task])

    info = await look_up(backend, task.id)

    assert abs(info.due_at - eta) < timedelta(milliseconds=2)
    assert info.due_at.utcoffset() == timedelta(0)


async def test_enqueue_with_delay_is_due_after_it(backend: Backend) -> None:
    task = make_task(delay=HOUR)
    await backend.enqueue([task])

    info = await look_up(backend, task.id)

    assert abs(info.due_at - info.enqueued_at - timedelta(hours=1)) < timedelta(milliseconds=2)
