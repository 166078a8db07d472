"""Tasks that somebody cancels: before they begin, on the loop, and on a thread."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from running import begin, echo, hold, hold_thread, result_of, until, until_begun

from sitq.context import check_cancelled
from sitq.core import Cause, TaskStatus
from sitq.exceptions import TaskCancelledError
from sitq.queue import TaskQueue
from sitq.worker import Worker

BOTH = pytest.mark.parametrize("function", [hold, hold_thread])


def hold_later(gate: Path) -> Any:
    return hold(gate)


async def test_pending_task_never_runs(queue: TaskQueue, path: Path, gate: Path) -> None:
    task = await queue.enqueue(Path.touch, gate)
    assert await task.cancel()

    await Worker(path).run_until_empty(timeout=5)

    assert await task.status() is TaskStatus.CANCELLED
    assert not gate.exists()


@pytest.mark.parametrize("limit", [1, 2])
@pytest.mark.parametrize("function", [hold, hold_thread, hold_later])
async def test_running_task_ends_within_a_second(
    function: Callable[..., Any], limit: int, path: Path, queue: TaskQueue, gate: Path
) -> None:
    async with Worker(path, max_concurrency=limit, grace=0, poll_interval=60.0):
        task = await queue.enqueue(function, gate)
        await until_begun(task)
        assert await task.cancel()

        result = await queue.get_result(task, timeout=1.0)
        gate.touch()

    assert result is not None
    assert result.status is TaskStatus.CANCELLED


async def test_running_task_of_one_lane_ends_within_a_second(path: Path, queue: TaskQueue, gate: Path) -> None:
    async with Worker(path, queues=["mail"], grace=0, poll_interval=60.0):
        task = await queue.options(queue="mail").enqueue(hold, gate)
        await until_begun(task)
        await task.cancel()

        assert await queue.get_result(task, timeout=1.0) is not None


async def test_cancellation_right_after_another_change_is_seen(path: Path, queue: TaskQueue, gate: Path) -> None:
    async with Worker(path, grace=0, poll_interval=60.0):
        task = await queue.enqueue(hold, gate)
        await until_begun(task)
        for number in range(3):
            await (await queue.enqueue(echo, number))
        await task.cancel()

        assert await queue.get_result(task, timeout=1.0) is not None


@BOTH
async def test_awaiting_a_cancelled_task_raises(
    function: Callable[..., Any], queue: TaskQueue, worker: Worker, gate: Path
) -> None:
    task = await queue.enqueue(function, gate)
    await until_begun(task)
    await task.cancel()

    with pytest.raises(TaskCancelledError):
        await task
    gate.touch()


@BOTH
async def test_slot_of_a_cancelled_task_is_free(
    function: Callable[..., Any], path: Path, queue: TaskQueue, gate: Path
) -> None:
    async with Worker(path, max_concurrency=1, grace=0):
        task = await queue.enqueue(function, gate)
        await until_begun(task)
        await task.cancel()

        assert await (await queue.enqueue(echo, 1)).result(timeout=2.0) == 1
    gate.touch()


ends: list[str] = []


def work_until_stopped() -> None:
    begin()
    try:
        while True:
            check_cancelled()
            time.sleep(0.005)
    except TaskCancelledError:
        ends.append("stopped")
        raise


async def clean_up_when_cancelled() -> None:
    begin()
    try:
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(0.05)
        ends.append("stopped")


@pytest.mark.parametrize("function", [work_until_stopped, clean_up_when_cancelled])
async def test_running_code_can_clean_up(function: Callable[..., Any], queue: TaskQueue, worker: Worker) -> None:
    ends.clear()
    task = await queue.enqueue(function)
    await until_begun(task)
    await task.cancel()

    async def stopped() -> bool:
        return ends == ["stopped"]

    assert await until(stopped)
    assert (await result_of(queue, task)).status is TaskStatus.CANCELLED


async def test_cancellation_is_no_failure_for_the_policy(queue: TaskQueue, worker: Worker, gate: Path) -> None:
    task = await queue.options(retry=5).enqueue(hold, gate)
    await until_begun(task)
    await task.cancel()

    await result_of(queue, task)
    assert [attempt.cause for attempt in await queue.attempts(task)] == [Cause.CANCELLED]


async def stay(gate: Path) -> str:
    begin()
    while not gate.exists():
        try:
            await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            gate.touch()
    return "would not stop"


async def test_coroutine_that_ends_in_spite_of_it_keeps_its_value(queue: TaskQueue, worker: Worker, gate: Path) -> None:
    task = await queue.enqueue(stay, gate)
    await until_begun(task)
    await task.cancel()

    assert await task == "would not stop"


async def test_ended_task_cannot_be_cancelled(queue: TaskQueue, worker: Worker) -> None:
    task = await queue.enqueue(echo, 1)
    await task

    assert not await task.cancel()
    assert await task == 1


async def test_cancelled_task_runs_again_when_requeued(queue: TaskQueue, worker: Worker, gate: Path) -> None:
    task = await queue.enqueue(hold, gate)
    await until_begun(task)
    await task.cancel()
    await result_of(queue, task)

    gate.touch()
    assert await task.requeue()

    assert await task == "let go"
