"""What people do with tasks through the queue; the verbs themselves are held by the contract suite."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sitq.core import TaskStatus
from sitq.exceptions import ValidationError
from sitq.queue import TaskQueue
from sitq.views import TaskQuery

Drain = Callable[[], Any]


def fail() -> None:
    raise ValueError("no")


async def test_one_id_or_many_can_be_named(queue: TaskQueue) -> None:
    one, *more = await queue.map(abs, range(4))

    assert await queue.cancel(one) == {one}
    assert await queue.cancel(more[:2]) == set(more[:2])
    assert await queue.cancel(set(more[2:])) == set(more[2:])


async def test_unknown_ids_are_not_reached(queue: TaskQueue) -> None:
    assert await queue.cancel(["unknown"]) == set()
    assert await queue.requeue("unknown") == set()
    assert await queue.delete({"unknown"}) == set()


async def test_failed_task_can_be_requeued(queue: TaskQueue, drain: Drain) -> None:
    task = await queue.enqueue(fail)
    await drain()

    assert await queue.requeue(task) == {task}
    await drain()

    assert len(await queue.attempts(task)) == 2


async def test_scheduled_task_can_be_run_now(queue: TaskQueue, drain: Drain) -> None:
    task = await queue.options(delay=3600.0).enqueue(abs, -7)

    assert await queue.run_now(task) == {task}
    assert await queue.run_now(task) == set()
    await drain()

    assert await task == 7


async def test_deleted_task_is_gone(queue: TaskQueue) -> None:
    task = await queue.enqueue(abs, 1)

    assert await queue.delete(task) == {task}
    assert await queue.get_task(task) is None


async def test_purge_removes_all_that_ended_long_enough_ago(queue: TaskQueue, drain: Drain) -> None:
    await queue.map(abs, range(1200))
    await drain()
    waiting = await queue.enqueue(abs, 1)

    assert await queue.purge(older_than=0.0) == 1200
    assert [info.id for info in await queue.list_tasks()] == [waiting]


async def test_purge_can_be_kept_to_a_status(queue: TaskQueue, drain: Drain) -> None:
    failed, succeeded = await queue.enqueue(fail), await queue.enqueue(abs, 1)
    await drain()

    assert await queue.purge(older_than=0.0, statuses=[TaskStatus.SUCCESS]) == 1
    assert (await failed.status(), await succeeded.status()) == (TaskStatus.FAILED, None)


@pytest.mark.parametrize("status", [TaskStatus.PENDING, TaskStatus.RUNNING])
async def test_purge_refuses_statuses_that_are_not_final(status: TaskStatus, queue: TaskQueue) -> None:
    with pytest.raises(ValidationError, match=f"only final statuses can be purged, got {status}"):
        await queue.purge(statuses=[status])


async def test_paused_lane_keeps_its_tasks(queue: TaskQueue, drain: Drain) -> None:
    await queue.pause("default")
    task = await queue.enqueue(abs, -1)
    await drain()
    assert await task.status() is TaskStatus.PENDING

    await queue.resume("default")
    await drain()

    assert await task == 1


async def test_stats_count_by_lane_and_status(queue: TaskQueue, drain: Drain) -> None:
    await queue.map(abs, range(3))
    await drain()
    await queue.options(queue="mail").enqueue(abs, 1)

    stats = await queue.stats()

    assert {lane.queue: (lane.pending, lane.success) for lane in stats.queues} == {"default": (0, 3), "mail": (1, 0)}


async def test_tasks_are_listed_newest_first_in_pages(queue: TaskQueue) -> None:
    tasks = await queue.map(abs, range(5))

    page = await queue.list_tasks(TaskQuery(limit=2))
    rest = await queue.list_tasks(TaskQuery(before=page[-1].id))

    assert [info.id for info in (*page, *rest)] == tasks[::-1]


async def test_tasks_of_other_producers_are_seen(path: Path, queue: TaskQueue) -> None:
    async with TaskQueue(path) as other:
        task = await other.enqueue(abs, 1)

    assert await queue.get_task(task) is not None
