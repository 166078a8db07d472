"""run_now: what waits for a moment is due at once, with all else as it was."""

import asyncio

from contract.builders import HOUR, claim_all, eventually, look_up, make_task, retry, run_one, success
from sitq.backends.base import Backend
from sitq.core import Cause, TaskStatus, WorkerInfo


async def test_run_now_makes_a_scheduled_task_claimable(backend: Backend, worker: WorkerInfo) -> None:
    task = make_task(delay=HOUR, payload=b"p" * 5000)
    await backend.enqueue([task])

    reached = await backend.run_now([task.id])

    (claim,) = await claim_all(backend, worker)
    assert reached == {task.id}
    assert (claim.id, claim.attempt, claim.payload) == (task.id, 1, task.payload)


async def test_run_now_tells_the_new_moment(backend: Backend) -> None:
    task = make_task(delay=HOUR)
    await backend.enqueue([task])

    await backend.run_now([task.id])

    info = await look_up(backend, task.id)
    assert abs((info.due_at - info.enqueued_at).total_seconds()) < HOUR / 2
    assert info.status is TaskStatus.PENDING


async def test_run_now_ends_a_back_off_and_keeps_the_budgets(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker, max_attempts=3)
    await backend.finish([retry(claim, delay=HOUR)])

    await backend.run_now([claim.id])

    (again,) = await claim_all(backend, worker)
    assert (again.attempt, again.failures, again.max_attempts) == (2, 1, 3)
    assert [attempt.cause for attempt in await backend.attempts(claim.id)] == [Cause.ERROR, None]


async def test_run_now_moves_the_counts(backend: Backend) -> None:
    tasks = [make_task(delay=HOUR) for _ in range(3)]
    await backend.enqueue(tasks)

    await backend.run_now([tasks[0].id])

    (lane,) = (await backend.stats()).queues
    assert (lane.pending, lane.scheduled) == (3, 2)


async def test_run_now_leaves_other_tasks_alone(backend: Backend, worker: WorkerInfo) -> None:
    ended, running = await run_one(backend, worker), await run_one(backend, worker)
    await backend.finish([success(ended)])
    due = make_task()
    blocked = make_task(after=(running.id,), delay=HOUR)
    await backend.enqueue([due, blocked])

    reached = await backend.run_now([ended.id, running.id, due.id, blocked.id, "unknown"])

    assert reached == set()
    assert [claim.id for claim in await claim_all(backend, worker)] == [due.id]
    assert await backend.finish([success(running)]) == {running.id}


async def test_run_now_does_not_start_what_has_expired(backend: Backend, worker: WorkerInfo) -> None:
    task = make_task(delay=HOUR, expires=0.05)
    await backend.enqueue([task])
    await asyncio.sleep(0.1)

    await backend.run_now([task.id])

    assert await claim_all(backend, worker) == []
    assert (await look_up(backend, task.id)).status is TaskStatus.CANCELLED


async def test_run_now_lets_a_paused_lane_rest(backend: Backend, worker: WorkerInfo) -> None:
    task = make_task(delay=HOUR)
    await backend.enqueue([task])
    await backend.set_paused(task.queue, True)

    await backend.run_now([task.id])

    assert await claim_all(backend, worker) == []
    await backend.set_paused(task.queue, False)
    assert [claim.id for claim in await eventually(lambda: claim_all(backend, worker))] == [task.id]


async def test_run_now_wakes_who_waits_for_the_lane(backend: Backend, twin: Backend) -> None:
    task = make_task(delay=HOUR)
    await backend.enqueue([task])
    waiting = asyncio.ensure_future(backend.wait([task.queue], timeout=20.0))
    await asyncio.sleep(0.05)

    await twin.run_now([task.id])

    await asyncio.wait_for(waiting, 5.0)


async def test_run_now_of_nothing_reaches_nothing(backend: Backend) -> None:
    assert await backend.run_now([]) == set()
