"""Options of tasks, from the queue's view to what comes of them."""

import asyncio
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sitq.core import TaskStatus
from sitq.exceptions import TaskQueueError, ValidationError
from sitq.handle import TaskHandle
from sitq.queue import TaskQueue
from sitq.retry import Retry
from sitq.serialization import JsonSerializer
from sitq.views import TaskInfo, TaskQuery
from sitq.worker import Worker

Drain = Callable[[], Any]


async def info_of(task: TaskHandle[Any]) -> TaskInfo:
    info = await task.info()
    assert info is not None
    return info


async def test_options_reach_the_store(queue: TaskQueue) -> None:
    bound = queue.options(queue="mail", priority=3, tags=["a", "b"], meta={"user": 7}, name="send", retry=5)

    info = await info_of(await bound.enqueue(abs, 1))

    assert (info.queue, info.priority, info.name, info.max_attempts) == ("mail", 3, "send", 5)
    assert (info.tags, info.meta) == (("a", "b"), {"user": 7})


async def test_task_without_options_has_the_defaults(queue: TaskQueue) -> None:
    info = await info_of(await queue.enqueue(abs, 1))

    assert (info.queue, info.priority, info.max_attempts, info.tags, info.meta) == ("default", 0, 1, (), None)


async def test_options_of_a_view_leave_the_queue_alone(queue: TaskQueue) -> None:
    queue.options(queue="mail")

    assert (await info_of(await queue.enqueue(abs, 1))).queue == "default"


async def test_view_of_a_view_changes_only_what_is_named(queue: TaskQueue) -> None:
    info = await info_of(await queue.options(queue="mail", priority=1).options(priority=2).enqueue(abs, 1))

    assert (info.queue, info.priority) == ("mail", 2)


async def test_options_hold_for_many(queue: TaskQueue) -> None:
    bound = queue.options(queue="mail")

    await bound.enqueue_many(abs, [(1,), (2,)])
    await bound.map(abs, [3])

    assert len(await queue.list_tasks(TaskQuery(queue="mail"))) == 3


async def test_eta_of_a_call_takes_the_place_of_the_views_delay(queue: TaskQueue) -> None:
    eta = datetime(2030, 1, 1, tzinfo=UTC)

    info = await info_of(await queue.options(delay=60.0).enqueue(abs, 1, eta=eta))

    assert info.due_at == eta


async def test_delay_counts_from_enqueueing(queue: TaskQueue) -> None:
    info = await info_of(await queue.options(delay=60.0).enqueue(abs, 1))

    assert info.due_at - info.enqueued_at == timedelta(seconds=60)


@pytest.mark.parametrize("on_conflict", ["return", None])
async def test_key_gives_the_holder_while_it_is_unfinished(on_conflict: str | None, queue: TaskQueue) -> None:
    options = {"on_conflict": on_conflict} if on_conflict else {}
    first = await queue.options(key="daily").enqueue(abs, 1)

    second = await queue.options(key="daily", **options).enqueue(abs, 2)

    assert second == first


async def test_key_is_free_when_its_task_has_ended(queue: TaskQueue, drain: Drain) -> None:
    bound = queue.options(key="daily")
    first = await bound.enqueue(abs, -1)
    await drain()

    second = await bound.enqueue(abs, -2)
    await drain()

    assert (await first, await second) == (1, 2)


async def test_key_that_is_held_raises_if_asked_to(queue: TaskQueue) -> None:
    bound = queue.options(key="daily", on_conflict="raise")
    await bound.enqueue(abs, 1)

    with pytest.raises(TaskQueueError, match="key 'daily' is held by task"):
        await bound.enqueue(abs, 2)


async def test_key_that_is_held_changes_hands_if_asked_to(queue: TaskQueue, drain: Drain) -> None:
    bound = queue.options(key="daily", on_conflict="replace")
    first, second = await bound.enqueue(abs, -1), await bound.enqueue(abs, -2)
    await drain()

    assert await first.status() is TaskStatus.CANCELLED
    assert await second == 2


async def test_retention_that_is_over_lets_purge_remove(queue: TaskQueue, drain: Drain) -> None:
    short = await queue.options(retention=0.01).enqueue(abs, 1)
    kept = await queue.enqueue(abs, 1)
    await drain()
    await asyncio.sleep(0.05)

    assert await queue.purge() == 1
    assert (await short.info(), await kept.status()) == (None, TaskStatus.SUCCESS)


async def test_expired_task_is_cancelled_with_a_reason(queue: TaskQueue, drain: Drain) -> None:
    task = await queue.options(expires=0.01).enqueue(abs, 1)
    await asyncio.sleep(0.05)
    await drain()

    info = await info_of(task)
    assert info.status is TaskStatus.CANCELLED
    assert info.error


async def test_policy_travels_with_functions_sent_by_name(path: Path) -> None:
    async with TaskQueue(path, JsonSerializer()) as queue:
        task = await queue.options(retry=Retry(2, delay=0.0)).enqueue(math.sqrt, 4)
        await Worker(path, JsonSerializer()).run_until_empty(timeout=5)

        assert await task == 2.0


async def test_unknown_option_is_refused_with_the_nearest(queue: TaskQueue) -> None:
    with pytest.raises(ValidationError, match="there is no option 'prio'; did you mean 'priority'"):
        queue.options(prio=1)


HUGE = [{"priority": 2**63}, {"delay": 1e300}, {"expires": 1e300}, {"timeout": 1e300}, {"retention": 1e300}]


@pytest.mark.parametrize("options", HUGE, ids=str)
async def test_number_that_no_store_can_hold_is_refused(options: dict[str, Any], queue: TaskQueue) -> None:
    with pytest.raises(ValidationError, match=next(iter(options))):
        await queue.options(**options).enqueue(abs, 1)
