"""A stored call run here and now, in the hands of who asks: their thread, their task, their exceptions."""

import asyncio
import contextlib
import pickle
import threading
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from sitq import Discard, Retry, TaskQueue, TaskStatus, current_task
from sitq.exceptions import SerializationError, TaskQueueError

Drain = Callable[[], Awaitable[None]]


class OrderError(Exception):
    """An exception with more to it than its text."""

    def __init__(self, order: int) -> None:
        super().__init__(f"order {order}")
        self.order = order


def ship(order: int, *, by: str = "sea") -> str:
    if order < 0:
        raise OrderError(order)
    return f"{order} by {by}"


async def ship_async(order: int) -> str:
    await asyncio.sleep(0)
    return ship(order)


def here() -> tuple[int, Any]:
    return threading.get_ident(), current_task()


async def here_async() -> tuple[Any, Any]:
    await asyncio.sleep(0)
    return asyncio.current_task(), current_task()


@pytest.mark.parametrize("function", [ship, ship_async, lambda order: ship_async(order)])
async def test_replay_returns_what_the_call_returns(function: Callable[..., Any], queue: TaskQueue) -> None:
    task = await queue.enqueue(function, 7)

    assert await queue.replay(task) == "7 by sea"


async def test_replay_has_the_stored_arguments(queue: TaskQueue) -> None:
    task = await queue.options(retry=3).enqueue(ship, 7, by="air")

    assert await queue.replay(task) == "7 by air"


@pytest.mark.parametrize("function", [ship, ship_async])
async def test_replay_raises_the_exception_itself(function: Callable[..., Any], queue: TaskQueue, drain: Drain) -> None:
    task = await queue.enqueue(function, -7)
    await drain()

    with pytest.raises(OrderError) as caught:
        await queue.replay(task)

    assert caught.value.order == -7
    assert traceback.extract_tb(caught.value.__traceback__)[-1].name == "ship"
    assert caught.value.__cause__ is None


async def test_replay_runs_a_function_in_the_calling_thread(queue: TaskQueue) -> None:
    thread, task = await queue.replay(await queue.options(name="who").enqueue(here))

    assert thread == threading.get_ident()
    assert (task.name, task.attempt, task.deadline) == ("who", 1, None)


async def test_replay_runs_a_coroutine_function_in_the_calling_task(queue: TaskQueue) -> None:
    stored = await queue.enqueue(here_async)

    running, task = await queue.replay(stored)

    assert running is asyncio.current_task()
    assert task.id == stored


async def test_replay_tells_the_number_of_the_last_attempt(queue: TaskQueue, drain: Drain) -> None:
    task = await queue.options(retry=Retry(max_attempts=3, delay=0.0)).enqueue(ship, -1)
    await drain()

    _, replayed = await queue.replay(task, lambda _: here())
    assert replayed.attempt == 3


@pytest.mark.parametrize("order", [7, -7])
async def test_replay_leaves_no_task_behind(order: int, queue: TaskQueue) -> None:
    task = await queue.enqueue(ship, order)
    with contextlib.suppress(OrderError):
        await queue.replay(task)

    assert current_task() is None


async def test_replay_leaves_the_store_as_it_is(queue: TaskQueue, drain: Drain) -> None:
    task = await queue.enqueue(ship, -7)
    await drain()
    before = await queue.get_task(task)

    assert await queue.replay(task, lambda order: order) == -7

    assert await queue.get_task(task) == before
    assert len(await queue.attempts(task)) == 1


async def test_replay_of_a_pending_task_leaves_it_pending(queue: TaskQueue) -> None:
    task = await queue.options(delay=60.0).enqueue(ship, 7)
    await queue.replay(task)

    assert await task.status() is TaskStatus.PENDING


def give_up() -> None:
    raise Discard("for good")


async def test_replay_raises_what_means_something_to_a_worker_too(queue: TaskQueue) -> None:
    task = await queue.options(retry=5).enqueue(give_up)

    with pytest.raises(Discard, match="for good"):
        await queue.replay(task)


async def test_replay_of_an_unknown_task_is_refused(queue: TaskQueue) -> None:
    with pytest.raises(TaskQueueError, match="there is no task nobody"):
        await queue.replay("nobody")


async def test_replay_of_a_payload_of_another_serializer_is_refused(queue: TaskQueue, path: Path) -> None:
    task = await queue.enqueue(ship, 7)
    async with TaskQueue(path, serializer=pickle) as other:
        with pytest.raises(SerializationError, match="written by serializer 'cloudpickle'"):
            await other.replay(task)


async def test_handle_replays_its_task(queue: TaskQueue) -> None:
    task = await queue.enqueue(ship, -7)

    assert await task.replay(abs) == 7
