"""Many who act on one store at once: what they do is as if they had taken turns."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from contract.builders import claim_all, eventually, failure, look_up, make_task, register, success

from sitq.backends.base import Backend
from sitq.backends.postgres import PostgresBackend
from sitq.core import OnFailure, TaskStatus
from sitq.views import TaskQuery


@pytest.fixture
async def doors(url: str) -> AsyncIterator[list[Backend]]:
    """Six backends on one store."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(PostgresBackend(url)) for _ in range(6)]


async def test_each_task_is_handed_to_one_of_many_workers(doors: list[Backend]) -> None:
    tasks = [make_task(queue=f"lane-{number % 3}", priority=number % 2) for number in range(900)]
    await doors[0].enqueue(tasks)
    workers = [await register(door) for door in doors]

    batches = await asyncio.gather(
        *(claim_all(door, worker, limit=13) for door, worker in zip(doors, workers, strict=True))
    )

    assert sorted(claim.id for batch in batches for claim in batch) == [task.id for task in tasks]


@pytest.mark.parametrize("limit", [1, 2, 7, 40])
async def test_order_of_claims_holds_across_many_lanes(doors: list[Backend], limit: int) -> None:
    chance = random.Random(limit)
    lanes = [f"{name}{number}" for name in ("a", "B", "ä", "_") for number in range(5)]
    tasks = [make_task(queue=chance.choice(lanes), priority=chance.randrange(3)) for _ in range(100)]
    await doors[0].enqueue(tasks)
    await doors[0].set_paused("B1", True)

    claims = await claim_all(doors[0], await register(doors[0]), limit=limit)

    wanted = sorted((task for task in tasks if task.queue != "B1"), key=lambda task: -task.priority)
    assert [claim.id for claim in claims] == [task.id for task in wanted]


async def test_need_that_ends_while_a_task_that_needs_it_is_stored_is_not_missed(doors: list[Backend]) -> None:
    worker = await register(doors[0])
    for _ in range(40):
        await doors[0].enqueue([make_task(queue="needed")])
        (claim,) = await claim_all(doors[0], worker, ["needed"])
        dependents = [make_task(needs=(claim.id,)) for _ in doors[1:]]

        await asyncio.gather(
            doors[0].finish([success(claim)]),
            *(door.enqueue([task]) for door, task in zip(doors[1:], dependents, strict=True)),
        )

        assert len(await claim_all(doors[0], worker, ["default"])) == len(dependents)


async def test_needs_that_end_at_once_let_a_task_go_once(doors: list[Backend]) -> None:
    worker = await register(doors[0])
    for _ in range(30):
        await doors[0].enqueue([make_task(queue="needed") for _ in doors])
        claims = await claim_all(doors[0], worker, ["needed"])
        await doors[0].enqueue([make_task(needs=tuple(claim.id for claim in claims))])

        await asyncio.gather(*(door.finish([success(claim)]) for door, claim in zip(doors, claims, strict=True)))

        assert len(await claim_all(doors[0], worker, ["default"])) == 1


async def test_need_that_fails_twice_is_counted_off_once(doors: list[Backend]) -> None:
    door = doors[0]
    worker = await register(door)
    await door.enqueue([make_task(queue="needed"), make_task(queue="needed")])
    first, second = await claim_all(door, worker)
    dependent = make_task(needs=(first.id, second.id), on_failure=OnFailure.RUN)
    await door.enqueue([dependent])
    await door.finish([failure(first)])
    await door.requeue([first.id])
    (again,) = await claim_all(door, worker)
    await door.finish([failure(again)])

    assert (await look_up(door, dependent.id)).waits_for == "1 other task"
    await door.finish([success(second)])
    assert [claim.id for claim in await claim_all(door, worker)] == [dependent.id]


async def test_verbs_that_meet_on_the_same_tasks_never_fail(doors: list[Backend]) -> None:
    """Each task is finished, cancelled, deleted and requeued at about the same moment."""
    worker = await register(doors[0])
    for _ in range(8):
        tasks = [make_task(key=f"key-{number}") for number in range(30)]
        await doors[0].enqueue(tasks)
        claims = await claim_all(doors[0], worker)
        ids = [claim.id for claim in claims]

        await asyncio.gather(
            doors[0].finish([failure(claim) for claim in claims]),
            doors[1].cancel(ids[::-1]),
            doors[2].requeue(ids),
            doors[3].delete(ids[:10]),
            doors[4].enqueue([make_task(key=f"key-{number}") for number in range(30)]),
            doors[5].purge(older_than=0.0),
        )
        everything = [info.id for info in await doors[0].list_tasks(TaskQuery(limit=1000))]
        await doors[0].finish([success(claim) for claim in await claim_all(doors[0], worker)])
        await doors[0].delete(everything)

    stats = await doors[0].stats()
    assert [stats.count(status) for status in TaskStatus] == [0] * len(TaskStatus)


async def test_cancellations_are_told_to_all_workers_of_one_backend(doors: list[Backend]) -> None:
    """Each asks the server only when it was told of one, and that by the backend that they share."""
    workers = [await register(doors[0]) for _ in range(2)]
    claims = []
    for worker in workers:
        await doors[0].enqueue([make_task()])
        claims += await claim_all(doors[0], worker)
    before = [await doors[0].stop_requests(worker.id) for worker in workers]
    await doors[1].cancel([claim.id for claim in claims])

    for worker, claim in zip(workers, claims, strict=True):
        assert await eventually(lambda worker=worker: doors[0].stop_requests(worker.id)) == {claim.id}
    assert before == [set(), set()]
