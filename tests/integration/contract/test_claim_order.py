"""The order in which claim hands out: priority, then the moment a task became due, then its age."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from contract.builders import claim_all, make_task, register, retry
from sitq.backends.base import Backend
from sitq.core import Task, WorkerInfo


async def enqueue_and_claim(backend: Backend, tasks: Sequence[Task], *, limit: int = 1000) -> list[str]:
    """Tell the ids in the order in which a worker gets them."""
    await backend.enqueue(tasks)
    worker = await register(backend)
    return [claim.id for claim in await claim_all(backend, worker, limit=limit)]


def due_since(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


async def test_claim_hands_out_higher_priority_first(backend: Backend) -> None:
    tasks = [make_task(priority=priority) for priority in (0, 7, -3, 100)]

    order = await enqueue_and_claim(backend, tasks)

    assert order == [tasks[3].id, tasks[1].id, tasks[0].id, tasks[2].id]


async def test_claim_hands_out_what_was_due_earlier_first(backend: Backend) -> None:
    tasks = [make_task(eta=due_since(seconds)) for seconds in (10, 30, 20)]

    order = await enqueue_and_claim(backend, tasks)

    assert order == [tasks[1].id, tasks[2].id, tasks[0].id]


async def test_claim_hands_out_older_tasks_first(backend: Backend) -> None:
    tasks = [make_task() for _ in range(100)]

    order = await enqueue_and_claim(backend, tasks, limit=7)

    assert order == [task.id for task in tasks]


async def test_claim_prefers_priority_to_the_due_moment(backend: Backend) -> None:
    late, urgent = make_task(eta=due_since(3600)), make_task(priority=1)

    order = await enqueue_and_claim(backend, [late, urgent])

    assert order == [urgent.id, late.id]


async def test_claim_orders_across_all_lanes(backend: Backend) -> None:
    tasks = [make_task(queue=f"lane-{number % 3}", priority=number) for number in range(9)]

    order = await enqueue_and_claim(backend, tasks, limit=2)

    assert order == [task.id for task in reversed(tasks)]


async def test_claim_orders_across_the_lanes_asked_for(backend: Backend, worker: WorkerInfo) -> None:
    tasks = [make_task(queue=f"lane-{number % 3}", eta=due_since(number)) for number in range(9)]
    await backend.enqueue(tasks)

    claims = await claim_all(backend, worker, ["lane-0", "lane-2"], limit=2)

    assert [claim.id for claim in claims] == [task.id for task in reversed(tasks) if task.queue != "lane-1"]


async def test_claim_hands_out_a_scheduled_task_by_its_priority_once_due(backend: Backend, worker: WorkerInfo) -> None:
    first, scheduled = make_task(), make_task(priority=5, delay=0.05)
    await backend.enqueue([first, scheduled])
    await asyncio.sleep(0.1)

    claims = await claim_all(backend, worker)

    assert [claim.id for claim in claims] == [scheduled.id, first.id]


async def test_claim_hands_out_a_retry_behind_what_was_due_before_it(backend: Backend, worker: WorkerInfo) -> None:
    tasks = [make_task() for _ in range(2)]
    await backend.enqueue(tasks)
    (first,) = await backend.claim(worker.id, None, limit=1, lease=30.0)
    await backend.finish([retry(first, delay=0.01)])

    (second,) = await backend.claim(worker.id, None, limit=1, lease=30.0)

    assert second.id == tasks[1].id
