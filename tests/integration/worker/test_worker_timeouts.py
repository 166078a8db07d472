"""Tasks that run longer than they may: failed on time, and their slots free for others."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from running import echo, hold, hold_thread, result_of, until

from sitq.context import check_cancelled, current_task
from sitq.core import Cause, TaskStatus
from sitq.exceptions import TaskTimeoutError
from sitq.queue import TaskQueue
from sitq.worker import Worker

BOTH = pytest.mark.parametrize("function", [hold, hold_thread])


def hold_later(gate: Path) -> Any:
    return hold(gate)


@pytest.mark.parametrize("function", [hold, hold_thread, hold_later])
async def test_task_fails_when_its_time_is_up(
    function: Callable[..., Any], queue: TaskQueue, worker: Worker, gate: Path
) -> None:
    begun = time.monotonic()

    result = await result_of(queue, await queue.options(timeout=0.2).enqueue(function, gate))
    gate.touch()

    assert result.error == "TaskTimeoutError: it ran longer than its timeout of 0.2 s"
    assert 0.2 <= time.monotonic() - begun < 3.0


@BOTH
async def test_awaiting_a_task_whose_time_was_up_raises(
    function: Callable[..., Any], queue: TaskQueue, worker: Worker, gate: Path
) -> None:
    task = await queue.options(timeout=0.1).enqueue(function, gate)

    with pytest.raises(TaskTimeoutError, match=r"0\.1 s"):
        await task
    gate.touch()


@BOTH
async def test_slot_of_a_task_whose_time_was_up_is_free(
    function: Callable[..., Any], path: Path, queue: TaskQueue, gate: Path
) -> None:
    async with Worker(path, max_concurrency=1, grace=0):
        await queue.options(timeout=0.1).enqueue(function, gate)

        assert await (await queue.enqueue(echo, "next")).result(timeout=2.0) == "next"
    gate.touch()


async def test_value_of_an_abandoned_thread_is_dropped(queue: TaskQueue, worker: Worker, gate: Path) -> None:
    task = await queue.options(timeout=0.1).enqueue(hold_thread, gate)
    await result_of(queue, task)

    gate.touch()
    await asyncio.sleep(0.1)

    assert await task.status() is TaskStatus.FAILED


@BOTH
async def test_task_that_is_done_in_time_succeeds(
    function: Callable[..., Any], queue: TaskQueue, worker: Worker, gate: Path
) -> None:
    gate.touch()

    assert await (await queue.options(timeout=5.0).enqueue(function, gate)) == "let go"


async def raise_own_timeout() -> None:
    raise TimeoutError("the server does not answer")


async def test_timeout_error_of_user_code_is_an_error_as_any_other(queue: TaskQueue, worker: Worker) -> None:
    task = await queue.options(timeout=5.0).enqueue(raise_own_timeout)
    await result_of(queue, task)

    (attempt,) = await queue.attempts(task)
    assert (attempt.cause, attempt.error) == (Cause.ERROR, "TimeoutError: the server does not answer")


async def test_time_that_was_up_is_the_cause_of_the_attempt(queue: TaskQueue, worker: Worker, gate: Path) -> None:
    task = await queue.options(timeout=0.1).enqueue(hold, gate)
    await result_of(queue, task)

    assert [attempt.cause for attempt in await queue.attempts(task)] == [Cause.TIMEOUT]


def seconds_left() -> float:
    task = current_task()
    assert task is not None
    assert task.seconds_left is not None
    return task.seconds_left


async def seconds_left_async() -> float:
    return seconds_left()


def seconds_left_later() -> Any:
    time.sleep(0.2)
    return seconds_left_async()


@pytest.mark.parametrize("function", [seconds_left, seconds_left_async])
async def test_task_knows_how_much_time_is_left(function: Callable[..., Any], queue: TaskQueue, worker: Worker) -> None:
    left = await (await queue.options(timeout=5.0).enqueue(function))

    assert 4.0 < left <= 5.0


async def test_timeout_covers_the_function_and_the_awaitable_that_it_returned(queue: TaskQueue, worker: Worker) -> None:
    left = await (await queue.options(timeout=5.0).enqueue(seconds_left_later))

    assert left <= 4.8


stopped: list[str] = []


def work_until_stopped() -> None:
    try:
        while True:
            check_cancelled()
            time.sleep(0.005)
    finally:
        stopped.append("stopped")


async def test_thread_that_asks_ends_when_its_time_is_up(queue: TaskQueue, worker: Worker) -> None:
    stopped.clear()
    await result_of(queue, await queue.options(timeout=0.1).enqueue(work_until_stopped))

    async def ended() -> bool:
        return bool(stopped)

    assert await until(ended)


async def test_time_waiting_in_line_does_not_count(path: Path, queue: TaskQueue) -> None:
    await queue.enqueue(asyncio.sleep, 0.3)
    task = await queue.options(timeout=0.2).enqueue(echo, "in time")

    await Worker(path, max_concurrency=1).run_until_empty(timeout=5)

    assert await task == "in time"
