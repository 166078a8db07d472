"""What tasks came to, for who waits for it."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sitq.core import Result, TaskStatus
from sitq.exceptions import (
    SerializationError,
    TaskCancelledError,
    TaskExecutionError,
    TaskLostError,
    TaskTimeoutError,
    ValidationError,
)
from sitq.queue import TaskQueue
from sitq.serialization import SignedSerializer
from sitq.worker import Worker

Drain = Callable[[], Any]


def fail() -> None:
    raise ValueError("no")


async def test_result_tells_all_about_a_success(queue: TaskQueue, drain: Drain) -> None:
    task = await queue.enqueue(abs, -1)
    await drain()

    result = await queue.get_result(task)

    assert result is not None
    assert (result.task_id, result.status, result.attempt, result.error) == (task, TaskStatus.SUCCESS, 1, None)
    assert result.enqueued_at <= result.started_at <= result.finished_at


async def test_result_tells_all_about_a_failure(queue: TaskQueue, drain: Drain) -> None:
    task = await queue.enqueue(fail)
    await drain()

    result = await queue.get_result(task)

    assert result is not None
    assert (result.status, result.error, result.value) == (TaskStatus.FAILED, "ValueError: no", None)
    assert "in fail" in (result.traceback or "")


async def test_result_is_waited_for(queue: TaskQueue, worker: Worker) -> None:
    task = await queue.enqueue(asyncio.sleep, 0.2, "slept")

    result = await queue.get_result(task, timeout=5.0)

    assert result is not None
    assert queue.deserialize_result(result) == "slept"


async def test_result_arrives_soon_after_the_end(queue: TaskQueue, worker: Worker) -> None:
    await (await queue.enqueue(abs, 1))

    waits = []
    for _ in range(5):
        ended_at = await (await queue.enqueue(time.time))
        waits.append(time.time() - ended_at)

    assert min(waits) < 0.05
    assert max(waits) < 0.5


async def test_result_is_waited_for_across_stores_connections(path: Path, queue: TaskQueue) -> None:
    async with TaskQueue(path) as other:
        waiting = asyncio.create_task(other.get_result(await queue.enqueue(abs, 1), timeout=5.0))
        await asyncio.sleep(0.05)
        await Worker(path).run_until_empty(timeout=5)

        assert await waiting is not None


async def test_time_that_is_up_gives_none(queue: TaskQueue) -> None:
    task = await queue.enqueue(abs, 1)
    begun = time.monotonic()

    assert await queue.get_result(task, timeout=0.1) is None
    assert 0.1 <= time.monotonic() - begun < 2.0


async def test_task_goes_on_when_the_time_is_up(queue: TaskQueue, worker: Worker) -> None:
    task = await queue.enqueue(asyncio.sleep, 0.2, "slept")
    assert await queue.get_result(task, timeout=0.01) is None

    assert await task == "slept"


@pytest.mark.parametrize("timeout", [0, 1e-9, 0.001])
async def test_result_that_is_there_is_given_however_short_the_time(
    timeout: float, queue: TaskQueue, drain: Drain
) -> None:
    task = await queue.enqueue(abs, 1)
    await drain()

    assert await queue.get_result(task, timeout=timeout) is not None


async def test_unknown_id_gives_none_at_once(queue: TaskQueue) -> None:
    async with asyncio.timeout(1.0):
        assert await queue.get_result("unknown") is None


async def test_default_timeout_counts_when_none_is_given(path: Path) -> None:
    async with TaskQueue(path, default_result_timeout=0.05) as queue:
        async with asyncio.timeout(1.0):
            assert await queue.get_result(await queue.enqueue(abs, 1)) is None


async def test_given_timeout_takes_the_place_of_the_default(path: Path, drain: Drain) -> None:
    async with TaskQueue(path, default_result_timeout=0.01) as queue:
        waiting = asyncio.create_task(queue.get_result(await queue.enqueue(abs, 1), timeout=5.0))
        await asyncio.sleep(0.1)
        await drain()

        assert await waiting is not None


@pytest.mark.parametrize("timeout", [-1, float("nan"), "soon", True])
async def test_timeout_that_cannot_be_right_is_refused(timeout: Any, queue: TaskQueue) -> None:
    with pytest.raises(ValidationError, match="timeout must be 0 seconds or more"):
        await queue.get_result("unknown", timeout=timeout)


async def test_many_callers_wait_for_one_task(queue: TaskQueue, drain: Drain) -> None:
    task = await queue.enqueue(abs, -1)
    waiting = [asyncio.create_task(queue.get_result(task)) for _ in range(10)]
    await asyncio.sleep(0.05)
    await drain()

    results = await asyncio.gather(*waiting)

    assert {result.status for result in results if result} == {TaskStatus.SUCCESS}
    assert None not in results


async def test_many_tasks_are_waited_for_at_once(queue: TaskQueue, worker: Worker) -> None:
    tasks = await queue.map(abs, range(-300, 0))

    async with asyncio.timeout(10):
        assert await asyncio.gather(*tasks) == [*range(300, 0, -1)]


async def test_waiting_can_be_cancelled(queue: TaskQueue, drain: Drain) -> None:
    task = await queue.enqueue(abs, -1)
    waiting = asyncio.create_task(queue.get_result(task))
    await asyncio.sleep(0.05)

    waiting.cancel()
    await asyncio.wait([waiting])
    await drain()

    assert waiting.cancelled()
    assert await task == 1


async def test_caller_who_gives_up_leaves_the_others_waiting(queue: TaskQueue, drain: Drain) -> None:
    task = await queue.enqueue(abs, -1)
    patient = asyncio.create_task(queue.get_result(task))
    assert await queue.get_result(task, timeout=0.05) is None
    await drain()

    assert await asyncio.wait_for(patient, timeout=2.0) is not None


async def test_result_that_comes_after_a_while_of_silence_arrives(queue: TaskQueue, drain: Drain) -> None:
    first = await queue.enqueue(abs, -1)
    await drain()
    await first
    await asyncio.sleep(0.1)

    second = await queue.enqueue(abs, -2)
    await drain()

    assert await second.result(timeout=2.0) == 2


async def test_deleted_task_lets_its_waiter_go(queue: TaskQueue) -> None:
    task = await queue.enqueue(abs, 1)
    waiting = asyncio.create_task(queue.get_result(task))
    await asyncio.sleep(0.05)

    await queue.delete(task)

    assert await asyncio.wait_for(waiting, timeout=3.0) is None


async def test_cancelled_task_is_a_result(queue: TaskQueue) -> None:
    task = await queue.enqueue(abs, 1)
    await queue.cancel(task)

    result = await queue.get_result(task, timeout=1.0)

    assert result is not None
    assert result.status is TaskStatus.CANCELLED


def made_up(status: TaskStatus, **facts: Any) -> Result:
    return Result(task_id="made up", status=status, **facts)


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        ("ValueError: no", TaskExecutionError, "ValueError: no"),
        ("TaskTimeoutError: too long", TaskTimeoutError, "too long"),
        ("TaskLostError: it died", TaskLostError, "it died"),
        ("TaskCancelledError: it was cancelled", TaskCancelledError, "it was cancelled"),
        (None, TaskExecutionError, "the task was failed"),
    ],
)
async def test_error_of_a_result_is_raised_as_its_kind(
    error: str | None, kind: type[TaskExecutionError], message: str, queue: TaskQueue
) -> None:
    with pytest.raises(TaskExecutionError) as caught:
        queue.deserialize_result(made_up(TaskStatus.FAILED, error=error, traceback="line 1"))

    assert type(caught.value) is kind
    assert caught.value.message == message
    assert (caught.value.traceback, caught.value.context) == ("line 1", {"task_id": "made up"})


async def test_cancelled_before_it_began_is_raised_as_cancelled(queue: TaskQueue) -> None:
    task = await queue.enqueue(abs, 1)
    await queue.cancel(task)

    with pytest.raises(TaskCancelledError):
        await task


@pytest.mark.parametrize("status", [TaskStatus.PENDING, TaskStatus.RUNNING])
async def test_result_without_an_end_has_no_value(status: TaskStatus, queue: TaskQueue) -> None:
    with pytest.raises(ValidationError, match=f"task made up is {status}, it has no value yet"):
        queue.deserialize_result(made_up(status))


async def test_value_of_another_serializer_is_refused(path: Path, queue: TaskQueue, drain: Drain) -> None:
    task = await queue.enqueue(abs, 1)
    await drain()

    async with TaskQueue(path, SignedSerializer(None, "k" * 16)) as other:
        with pytest.raises(SerializationError, match="'cloudpickle'"):
            await other.handle(task)


async def test_store_that_closes_fails_who_waits_with_a_clear_error(path: Path, queue: TaskQueue) -> None:
    task = await queue.enqueue(abs, 1)
    waiting = asyncio.create_task(queue.get_result(task))
    await asyncio.sleep(0.05)

    await queue.backend.close()

    with pytest.raises(Exception, match="not open"):
        await asyncio.wait_for(waiting, timeout=3.0)
