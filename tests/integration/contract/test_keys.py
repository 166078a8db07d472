"""The key of a task: at most one unfinished task holds it."""

import asyncio
from collections.abc import Callable

import pytest

from contract.builders import cancellation, claim_all, failure, lose, make_task, retry, run_one, success
from sitq.backends.base import Backend
from sitq.core import Claim, OnConflict, Outcome, TaskStatus, WorkerInfo
from sitq.exceptions import TaskQueueError


async def test_key_is_free_where_its_holder_ends_as_it_is_stored(backend: Backend) -> None:
    bad, good = make_task(), make_task(key="a")
    await backend.enqueue([bad])
    await backend.cancel([bad.id])

    ids = await backend.enqueue([make_task(key="a", after=(bad.id,)), good])

    assert ids[1] == good.id


async def test_enqueue_of_a_held_key_returns_the_holder(backend: Backend, worker: WorkerInfo) -> None:
    holder, newcomer = make_task(key="report"), make_task(key="report")
    await backend.enqueue([holder])

    ids = await backend.enqueue([newcomer])

    assert ids == [holder.id]
    assert await backend.results([newcomer.id]) == {}


async def test_enqueue_of_a_held_key_mixes_with_free_ones_in_order(backend: Backend) -> None:
    holder = make_task(key="report")
    await backend.enqueue([holder])
    before, newcomer, after = make_task(), make_task(key="report"), make_task(key="another")

    ids = await backend.enqueue([before, newcomer, after])

    assert ids == [before.id, holder.id, after.id]


async def test_key_that_comes_twice_in_a_batch_goes_to_the_first(backend: Backend, worker: WorkerInfo) -> None:
    first, second = make_task(key="report"), make_task(key="report")

    ids = await backend.enqueue([first, second])

    assert ids == [first.id, first.id]
    assert [claim.id for claim in await claim_all(backend, worker)] == [first.id]


async def test_key_is_given_once_when_many_want_it_at_once(backend: Backend, twin: Backend) -> None:
    wanted = [make_task(key="report") for _ in range(20)]
    doors = [backend, twin] * 10

    answers = await asyncio.gather(*(door.enqueue([task]) for door, task in zip(doors, wanted, strict=True)))

    assert len({task_id for (task_id,) in answers}) == 1
    assert len(await backend.results([task.id for task in wanted])) == 1


async def test_running_task_still_holds_its_key(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker, key="report")

    ids = await backend.enqueue([make_task(key="report")])

    assert ids == [claim.id]


async def test_task_that_waits_for_its_retry_still_holds_its_key(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker, key="report")
    await backend.finish([retry(claim, delay=60.0)])

    ids = await backend.enqueue([make_task(key="report")])

    assert ids == [claim.id]


async def test_lost_task_still_holds_its_key(backend: Backend, worker: WorkerInfo, other: WorkerInfo) -> None:
    claim = await run_one(backend, worker, key="report")
    await lose(backend, [claim], worker, other)

    ids = await backend.enqueue([make_task(key="report")])

    assert ids == [claim.id]


@pytest.mark.parametrize("end", [success, failure, cancellation])
async def test_key_is_free_after_its_holder_has_ended(
    backend: Backend, worker: WorkerInfo, end: Callable[[Claim], Outcome]
) -> None:
    claim = await run_one(backend, worker, key="report")
    await backend.finish([end(claim)])
    newcomer = make_task(key="report")

    ids = await backend.enqueue([newcomer])

    assert ids == [newcomer.id]
    assert await _claim_ids(backend, worker) == [newcomer.id]


async def test_key_is_free_after_its_holder_was_cancelled_while_pending(backend: Backend) -> None:
    holder, newcomer = make_task(key="report"), make_task(key="report")
    await backend.enqueue([holder])
    await backend.cancel([holder.id])

    assert await backend.enqueue([newcomer]) == [newcomer.id]


async def test_key_is_free_after_its_holder_was_deleted(backend: Backend) -> None:
    holder, newcomer = make_task(key="report"), make_task(key="report")
    await backend.enqueue([holder])
    await backend.delete([holder.id])

    assert await backend.enqueue([newcomer]) == [newcomer.id]


async def test_raise_refuses_a_held_key_and_leaves_the_holder(backend: Backend, worker: WorkerInfo) -> None:
    holder = make_task(key="report")
    await backend.enqueue([holder])

    with pytest.raises(TaskQueueError, match="report") as refusal:
        await backend.enqueue([make_task(key="report", on_conflict=OnConflict.RAISE)])

    assert "\n" not in str(refusal.value)
    assert await _claim_ids(backend, worker) == [holder.id]


async def test_raise_takes_a_free_key(backend: Backend) -> None:
    task = make_task(key="report", on_conflict=OnConflict.RAISE)

    assert await backend.enqueue([task]) == [task.id]


async def test_replace_puts_the_newcomer_in_the_place_of_a_pending_holder(backend: Backend, worker: WorkerInfo) -> None:
    await backend.enqueue([make_task(key="report", payload=b"old")])
    newcomer = make_task(key="report", payload=b"new", on_conflict=OnConflict.REPLACE)

    ids = await backend.enqueue([newcomer])

    assert ids == [newcomer.id]
    assert [claim.payload for claim in await claim_all(backend, worker)] == [b"new"]


async def test_replace_takes_the_key_over(backend: Backend) -> None:
    await backend.enqueue([make_task(key="report")])
    newcomer = make_task(key="report", on_conflict=OnConflict.REPLACE)
    await backend.enqueue([newcomer])

    assert await backend.enqueue([make_task(key="report")]) == [newcomer.id]


async def test_task_that_is_replaced_by_the_call_that_brought_it_keeps_its_payload(backend: Backend) -> None:
    first = make_task(key="report", payload=bytes(3000))
    second = make_task(key="report", on_conflict=OnConflict.REPLACE)

    await backend.enqueue([first, second])

    stored = await backend.tasks([first.id])
    assert stored[first.id].payload == first.payload


async def test_replace_is_refused_while_the_holder_runs(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker, key="report")

    with pytest.raises(TaskQueueError, match="report"):
        await backend.enqueue([make_task(key="report", on_conflict=OnConflict.REPLACE)])

    assert await backend.finish([success(claim)]) == {claim.id}


async def test_tasks_without_a_key_never_conflict(backend: Backend, worker: WorkerInfo) -> None:
    await backend.enqueue([make_task(on_conflict=OnConflict.RAISE) for _ in range(3)])

    assert len(await claim_all(backend, worker)) == 3


async def test_requeue_skips_a_task_whose_key_somebody_else_holds(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker, key="report")
    await backend.finish([failure(claim)])
    holder = make_task(key="report")
    await backend.enqueue([holder])

    reached = await backend.requeue([claim.id])

    assert reached == set()
    assert (await backend.results([claim.id]))[claim.id].status is TaskStatus.FAILED


async def test_requeue_of_two_tasks_with_one_key_reaches_one(backend: Backend, worker: WorkerInfo) -> None:
    failed = [await _failed(backend, worker, key="report") for _ in range(2)]

    reached = await backend.requeue([claim.id for claim in failed])

    assert len(reached) == 1
    assert await _claim_ids(backend, worker) == list(reached)


async def _failed(backend: Backend, worker: WorkerInfo, key: str) -> Claim:
    claim = await run_one(backend, worker, key=key)
    await backend.finish([failure(claim)])
    return claim


async def _claim_ids(backend: Backend, worker: WorkerInfo) -> list[str]:
    return [claim.id for claim in await claim_all(backend, worker)]
