"""Tasks that need others: they wait until those have ended, and meet their policy when one does not succeed."""

from collections.abc import Callable
from typing import Any

import pytest

from contract.builders import (
    HOUR,
    cancellation,
    claim_all,
    failure,
    look_up,
    make_task,
    retry,
    run_one,
    success,
)
from sitq.backends.base import Backend
from sitq.core import Claim, OnFailure, Outcome, TaskStatus, WorkerInfo
from sitq.exceptions import TaskQueueError
from sitq.views import TaskInfo

BAD_ENDS = [failure, cancellation]


async def need(backend: Backend, *ids: str, **overrides: Any) -> str:
    """Store a task that needs others."""
    (task_id,) = await backend.enqueue([make_task(needs=ids, **overrides)])
    return task_id


async def phase(backend: Backend, task_id: str) -> str:
    info: TaskInfo = await look_up(backend, task_id)
    return info.phase(info.enqueued_at)


async def test_task_waits_until_all_that_it_needs_have_succeeded(backend: Backend, worker: WorkerInfo) -> None:
    first, second = await run_one(backend, worker), await run_one(backend, worker)
    dependent = await need(backend, first.id, second.id)

    await backend.finish([success(first)])
    assert await claim_all(backend, worker) == []
    await backend.finish([success(second)])

    assert [claim.id for claim in await claim_all(backend, worker)] == [dependent]


@pytest.mark.parametrize("relation", ["needs", "after"])
async def test_both_relations_block(backend: Backend, worker: WorkerInfo, relation: str) -> None:
    claim = await run_one(backend, worker)

    await backend.enqueue([make_task(**{relation: (claim.id,)})])

    assert await claim_all(backend, worker) == []


async def test_blocked_task_says_for_how_many_it_waits(backend: Backend, worker: WorkerInfo) -> None:
    claims = [await run_one(backend, worker) for _ in range(2)]
    dependent = await need(backend, *(claim.id for claim in claims))

    before = await look_up(backend, dependent)
    await backend.finish([success(claims[0])])
    after = await look_up(backend, dependent)

    assert (before.waits_for, after.waits_for) == ("2 other tasks", "1 other task")
    assert await phase(backend, dependent) == "blocked"


async def test_what_has_succeeded_before_is_not_waited_for(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    await backend.finish([success(claim)])

    dependent = await need(backend, claim.id)

    assert [claim.id for claim in await claim_all(backend, worker)] == [dependent]


async def test_inputs_are_the_results_whose_values_are_taken(backend: Backend, worker: WorkerInfo) -> None:
    taken, only_first = await run_one(backend, worker), await run_one(backend, worker)
    task = make_task(needs=(taken.id,), after=(only_first.id,))
    await backend.enqueue([task])

    await backend.finish([success(taken, b"v" * 3000), success(only_first)])

    inputs = await backend.inputs(task.id)
    assert {task_id: result.value for task_id, result in inputs.items()} == {taken.id: b"v" * 3000}


async def test_claim_says_whether_a_task_has_waited(backend: Backend, worker: WorkerInfo) -> None:
    first = await run_one(backend, worker)
    await need(backend, first.id)
    await backend.finish([success(first)])

    (claim,) = await claim_all(backend, worker)

    assert (first.waited, claim.waited) == (False, True)


async def test_needs_are_listed(backend: Backend, worker: WorkerInfo) -> None:
    claims = [await run_one(backend, worker) for _ in range(2)]
    task = make_task(needs=(claims[1].id,), after=(claims[0].id,))
    await backend.enqueue([task])

    assert await backend.needs(task.id) == [claim.id for claim in claims]
    assert await backend.needs(claims[0].id) == []


@pytest.mark.parametrize("end", BAD_ENDS)
@pytest.mark.parametrize(
    ("policy", "status"),
    [
        (OnFailure.CANCEL, TaskStatus.CANCELLED),
        (OnFailure.FAIL, TaskStatus.FAILED),
        (OnFailure.RUN, TaskStatus.PENDING),
    ],
)
async def test_policy_decides_when_a_needed_task_does_not_succeed(
    backend: Backend, worker: WorkerInfo, end: Callable[[Claim], Outcome], policy: OnFailure, status: TaskStatus
) -> None:
    claim = await run_one(backend, worker)
    dependent = await need(backend, claim.id, on_failure=policy)

    await backend.finish([end(claim)])

    info = await look_up(backend, dependent)
    assert (info.status, info.waits_for) == (status, None)


@pytest.mark.parametrize("end", BAD_ENDS)
async def test_policy_holds_also_for_what_has_ended_before(
    backend: Backend, worker: WorkerInfo, end: Callable[[Claim], Outcome]
) -> None:
    claim = await run_one(backend, worker)
    await backend.finish([end(claim)])

    ids = [await need(backend, claim.id, on_failure=policy) for policy in OnFailure]

    assert [(await look_up(backend, task_id)).status for task_id in ids] == ["cancelled", "pending", "failed"]


async def test_what_has_ended_before_lets_only_the_new_task_go(backend: Backend, worker: WorkerInfo) -> None:
    ended, running = await run_one(backend, worker), await run_one(backend, worker)
    await backend.finish([failure(ended)])
    waiting = await need(backend, ended.id, running.id, on_failure=OnFailure.RUN)

    new = await need(backend, ended.id, on_failure=OnFailure.RUN)

    assert [claim.id for claim in await claim_all(backend, worker)] == [new]
    assert (await look_up(backend, waiting)).waits_for == "1 other task"


async def test_dependent_says_why_it_was_ended(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    cancelled, failed = await need(backend, claim.id), await need(backend, claim.id, on_failure=OnFailure.FAIL)

    await backend.finish([failure(claim)])

    errors = [(await look_up(backend, task_id)).error for task_id in (cancelled, failed)]
    assert errors == [
        f"TaskCancelledError: task {claim.id}, which it needs, failed",
        f"TaskExecutionError: task {claim.id}, which it needs, failed",
    ]


async def test_ends_are_passed_on_along_a_chain(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    chain = [claim.id]
    for _ in range(200):
        chain.append(await need(backend, chain[-1]))

    await backend.finish([failure(claim)])

    stats = await backend.stats()
    assert stats.count(TaskStatus.CANCELLED) == 200
    assert (
        await look_up(backend, chain[-1])
    ).error == f"TaskCancelledError: task {chain[-2]}, which it needs, was cancelled"


async def test_retried_task_is_waited_for(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    dependent = await need(backend, claim.id)

    await backend.finish([retry(claim)])

    assert await phase(backend, dependent) == "blocked"


async def test_cancelled_blocked_task_takes_its_dependents_along(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    middle = await need(backend, claim.id)
    last = await need(backend, middle)

    assert await backend.cancel([middle]) == {middle}

    assert (await look_up(backend, last)).status is TaskStatus.CANCELLED


async def test_deleted_task_counts_as_one_that_did_not_succeed(backend: Backend, worker: WorkerInfo) -> None:
    needed = make_task(delay=HOUR)
    await backend.enqueue([needed])
    dependents = [await need(backend, needed.id, on_failure=policy) for policy in (OnFailure.CANCEL, OnFailure.RUN)]

    await backend.delete([needed.id])

    infos = [await look_up(backend, task_id) for task_id in dependents]
    assert [info.status for info in infos] == ["cancelled", "pending"]
    assert infos[0].error == f"TaskCancelledError: task {needed.id}, which it needs, was deleted"


async def test_released_task_keeps_its_moment(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    dependent = await need(backend, claim.id, delay=HOUR)

    await backend.finish([success(claim)])

    assert await claim_all(backend, worker) == []
    assert (await look_up(backend, dependent)).waits_for is None


async def test_unknown_id_is_refused_and_nothing_is_stored(backend: Backend) -> None:
    with pytest.raises(TaskQueueError, match="greet needs task nobody, and there is none of that id"):
        await backend.enqueue([make_task(), make_task(needs=("nobody",))])

    assert (await backend.stats()).queues == ()


async def test_task_cannot_need_one_that_comes_later_or_itself(backend: Backend) -> None:
    later = make_task()
    task = make_task(needs=(later.id,))

    with pytest.raises(TaskQueueError, match="there is none of that id"):
        await backend.enqueue([task, later])
    with pytest.raises(TaskQueueError, match="there is none of that id"):
        await backend.enqueue([later._replace(needs=(later.id,))])


async def test_task_may_need_one_of_the_same_batch(backend: Backend, worker: WorkerInfo) -> None:
    first = make_task()
    second = make_task(needs=(first.id,))

    await backend.enqueue([first, second])

    assert [claim.id for claim in await claim_all(backend, worker)] == [first.id]


async def test_requeued_dependent_waits_for_what_runs_again(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    dependent = await need(backend, claim.id)
    await backend.finish([failure(claim)])

    await backend.requeue([claim.id])
    await backend.requeue([dependent])

    assert [again.id for again in await claim_all(backend, worker)] == [claim.id]
    assert await phase(backend, dependent) == "blocked"


async def test_purge_spares_what_an_unfinished_task_needs(backend: Backend, worker: WorkerInfo) -> None:
    done, running = await run_one(backend, worker), await run_one(backend, worker)
    await backend.finish([success(done)])
    dependent = await need(backend, done.id, running.id)

    assert await backend.purge(older_than=0) == 0
    await backend.cancel([dependent])

    assert await backend.purge(older_than=0) == 2


async def test_key_is_held_while_a_task_is_blocked(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    dependent = await need(backend, claim.id, key="k")

    assert await backend.enqueue([make_task(key="k")]) == [dependent]


async def test_counts_stay_right(backend: Backend, worker: WorkerInfo) -> None:
    claims = [await run_one(backend, worker) for _ in range(2)]
    await need(backend, claims[0].id)
    await need(backend, claims[1].id)

    await backend.finish([success(claims[0]), failure(claims[1])])

    (queue,) = (await backend.stats()).queues
    assert (queue.pending, queue.success, queue.failed, queue.cancelled) == (1, 1, 1, 1)


async def test_fan_in_of_many_is_released_by_the_last(backend: Backend, worker: WorkerInfo) -> None:
    tasks = [make_task() for _ in range(300)]
    await backend.enqueue(tasks)
    last = await need(backend, *(task.id for task in tasks))
    claims = await claim_all(backend, worker)

    await backend.finish([success(claim) for claim in claims[:-1]])
    assert await claim_all(backend, worker) == []
    await backend.finish([success(claims[-1])])

    assert [claim.id for claim in await claim_all(backend, worker)] == [last]


async def test_one_that_comes_after_a_bad_end_lets_nobody_else_go(backend: Backend, worker: WorkerInfo) -> None:
    bad, running = await run_one(backend, worker), await run_one(backend, worker)
    waiting = await need(backend, bad.id, running.id, on_failure=OnFailure.RUN)
    await backend.finish([failure(bad)])

    late = await need(backend, bad.id)

    assert await phase(backend, late) == "cancelled"
    assert await phase(backend, waiting) == "blocked"
    assert await claim_all(backend, worker) == []


async def test_a_need_that_ends_twice_counts_once(backend: Backend, worker: WorkerInfo) -> None:
    twice, running = await run_one(backend, worker), await run_one(backend, worker)
    waiting = await need(backend, twice.id, running.id, on_failure=OnFailure.RUN)
    await backend.finish([failure(twice)])
    await backend.requeue([twice.id])
    (again,) = await claim_all(backend, worker)
    await backend.finish([failure(again)])

    assert await claim_all(backend, worker) == []
    await backend.finish([success(running)])

    assert [claim.id for claim in await claim_all(backend, worker)] == [waiting]


async def test_who_still_waits_waits_for_a_requeued_need_again(backend: Backend, worker: WorkerInfo) -> None:
    again, running = await run_one(backend, worker), await run_one(backend, worker)
    waiting = await need(backend, again.id, running.id, on_failure=OnFailure.RUN)
    await backend.finish([failure(again)])
    await backend.requeue([again.id])
    await backend.finish([success(running)])

    (claim,) = await claim_all(backend, worker)
    assert claim.id == again.id
    await backend.finish([success(claim)])

    assert [claim.id for claim in await claim_all(backend, worker)] == [waiting]


async def test_tasks_requeued_together_keep_their_order(backend: Backend, worker: WorkerInfo) -> None:
    first = await run_one(backend, worker)
    second = await need(backend, first.id)
    await backend.finish([failure(first)])

    assert await backend.requeue([second, first.id]) == {first.id, second}

    assert [claim.id for claim in await claim_all(backend, worker)] == [first.id]
