"""A task's id that can also be asked."""

import asyncio
import builtins
import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import cloudpickle
import pytest

from sitq.core import TaskStatus
from sitq.exceptions import TaskQueueError, TimeoutError
from sitq.queue import TaskQueue
from sitq.worker import Worker

Drain = Callable[[], Any]


def fail() -> None:
    raise ValueError("no")


async def test_handle_is_its_id(queue: TaskQueue) -> None:
    task = await queue.enqueue(abs, 1)

    assert task == str(task)
    assert {task: 1}[str(task)] == 1
    assert json.dumps([task]) == f'["{task!s}"]'


async def test_handle_awaits_to_the_value(queue: TaskQueue, worker: Worker) -> None:
    assert await (await queue.enqueue(abs, -1)) == 1


async def test_handle_can_be_awaited_again(queue: TaskQueue, drain: Drain) -> None:
    task = await queue.enqueue(abs, -1)
    await drain()

    assert (await task, await task) == (1, 1)


async def test_handle_of_a_stored_id_awaits_too(queue: TaskQueue, drain: Drain) -> None:
    task_id = str(await queue.enqueue(abs, -1))
    await drain()

    assert await queue.handle(task_id) == 1


async def test_time_that_is_up_raises_and_tells_the_status(queue: TaskQueue) -> None:
    task = await queue.enqueue(abs, 1)

    with pytest.raises(TimeoutError, match=f"task {task!s} is still pending; it goes on, wait again"):
        await task.result(timeout=0.01)


async def test_time_that_is_up_is_the_builtin_error_too(queue: TaskQueue) -> None:
    with pytest.raises(builtins.TimeoutError):
        await (await queue.enqueue(abs, 1)).result(timeout=0.01)


async def test_task_that_is_not_there_raises(queue: TaskQueue) -> None:
    with pytest.raises(TaskQueueError, match="there is no task unknown"):
        await queue.handle("unknown")


async def test_handle_tells_status_and_info(queue: TaskQueue, drain: Drain) -> None:
    task = await queue.enqueue(abs, 1)
    assert await task.status() is TaskStatus.PENDING
    await drain()

    info = await task.info()
    assert info is not None
    assert (info.id, info.status) == (task, TaskStatus.SUCCESS)


async def test_unknown_handle_has_no_status(queue: TaskQueue) -> None:
    assert await queue.handle("unknown").status() is None
    assert await queue.handle("unknown").info() is None


async def test_handle_cancels_once(queue: TaskQueue) -> None:
    task = await queue.enqueue(abs, 1)

    assert (await task.cancel(), await task.cancel()) == (True, False)


async def test_handle_requeues_what_failed(queue: TaskQueue, drain: Drain) -> None:
    task = await queue.enqueue(fail)
    assert not await task.requeue()
    await drain()

    assert await task.requeue()
    assert await task.status() is TaskStatus.PENDING


@pytest.mark.parametrize("copied", [pickle, cloudpickle])
async def test_handle_pickles_as_the_id_alone(copied: Any, queue: TaskQueue) -> None:
    task = await queue.enqueue(abs, 1)

    again = copied.loads(copied.dumps(task))

    assert (type(again), again) == (str, str(task))


async def test_handle_can_be_copied_with_what_holds_it(queue: TaskQueue) -> None:
    tasks = {"first": await queue.enqueue(abs, 1)}

    assert copy.deepcopy(tasks) == tasks


async def test_handles_can_be_gathered(queue: TaskQueue, worker: Worker) -> None:
    tasks = await queue.map(abs, [-1, -2, -3])

    assert await asyncio.gather(*tasks) == [1, 2, 3]


async def test_failed_handle_fails_its_group(queue: TaskQueue, worker: Worker) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.TaskGroup() as group:
            group.create_task((await queue.enqueue(fail)).result())

    assert "ValueError: no" in str(caught.value.exceptions[0])
