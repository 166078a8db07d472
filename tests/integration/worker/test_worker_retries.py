"""What happens after a failure: another attempt if the policy has one, and a history of all."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from running import hold, result_of, until, until_status

from sitq.context import current_task
from sitq.core import Cause, TaskStatus
from sitq.queue import TaskQueue
from sitq.retry import Retry
from sitq.views import Attempt
from sitq.worker import Worker

SOON = {"delay": 0.02, "jitter": False}


def attempt_number() -> int:
    task = current_task()
    assert task is not None
    return task.attempt


def fail_until(attempt: int) -> int:
    if attempt_number() < attempt:
        raise ConnectionError(f"attempt {attempt_number()}")
    return attempt_number()


async def fail_until_async(attempt: int) -> int:
    return fail_until(attempt)


def fail_until_later(attempt: int) -> Any:
    return fail_until_async(attempt)


@pytest.mark.parametrize("function", [fail_until, fail_until_async, fail_until_later])
async def test_task_runs_again_until_it_succeeds(
    function: Callable[..., Any], queue: TaskQueue, worker: Worker
) -> None:
    task = await queue.options(retry=Retry(3, **SOON)).enqueue(function, 3)

    assert await task == 3


async def test_task_fails_with_its_last_attempt(queue: TaskQueue, worker: Worker) -> None:
    result = await result_of(queue, await queue.options(retry=Retry(2, **SOON)).enqueue(fail_until, 9))

    assert (result.status, result.attempt) == (TaskStatus.FAILED, 2)
    assert result.error == "ConnectionError: attempt 2"


async def test_history_holds_every_attempt(queue: TaskQueue, worker: Worker) -> None:
    task = await queue.options(retry=Retry(3, **SOON)).enqueue(fail_until, 3)
    await task

    history = await queue.attempts(task)

    assert [(one.attempt, one.cause, one.error) for one in history] == [
        (1, Cause.ERROR, "ConnectionError: attempt 1"),
        (2, Cause.ERROR, "ConnectionError: attempt 2"),
        (3, Cause.SUCCESS, None),
    ]
    assert all(one.traceback for one in history[:2])


def gap(before: Attempt, after: Attempt) -> float:
    assert before.finished_at is not None
    assert after.started_at is not None
    return (after.started_at - before.finished_at).total_seconds()


async def test_waits_grow_as_the_policy_says(queue: TaskQueue, worker: Worker) -> None:
    policy = Retry(3, delay=0.1, backoff=3.0, jitter=False)
    task = await queue.options(retry=policy).enqueue(fail_until, 3)
    await task

    first, second, third = await queue.attempts(task)

    assert 0.1 <= gap(first, second) < 0.25
    assert 0.3 <= gap(second, third) < 0.45


async def test_task_that_waits_for_its_retry_is_shown_so(queue: TaskQueue, worker: Worker) -> None:
    task = await queue.options(retry=Retry(2, delay=3600.0)).enqueue(fail_until, 2)

    async def failed_once() -> bool:
        info = await task.info()
        return info is not None and info.failures == 1

    await until(failed_once)
    info = await until_status(queue, task, TaskStatus.PENDING)
    assert info.phase(info.enqueued_at) == "retrying"
    assert info.error == "ConnectionError: attempt 1"


async def test_exception_outside_of_the_policy_is_final(queue: TaskQueue, worker: Worker) -> None:
    task = await queue.options(retry=Retry(3, on=(LookupError,), **SOON)).enqueue(fail_until, 2)

    assert (await result_of(queue, task)).attempt == 1


async def test_exception_to_give_up_on_is_final(queue: TaskQueue, worker: Worker) -> None:
    task = await queue.options(retry=Retry(3, give_up_on=(OSError,), **SOON)).enqueue(fail_until, 2)

    assert (await result_of(queue, task)).attempt == 1


async def test_timeout_is_charged_to_the_policy(queue: TaskQueue, worker: Worker, gate: Path) -> None:
    task = await queue.options(timeout=0.05, retry=Retry(2, **SOON)).enqueue(hold, gate)
    await result_of(queue, task)

    assert [one.cause for one in await queue.attempts(task)] == [Cause.TIMEOUT, Cause.TIMEOUT]


def hold_thread_once(gate: Path) -> int:
    while attempt_number() == 1 and not gate.exists():
        time.sleep(0.005)
    return attempt_number()


async def test_timeout_of_a_thread_is_charged_to_the_policy(queue: TaskQueue, worker: Worker, gate: Path) -> None:
    task = await queue.options(timeout=0.1, retry=Retry(2, **SOON)).enqueue(hold_thread_once, gate)

    assert await task == 2
    gate.touch()


async def test_cancelled_between_two_attempts_it_never_runs_again(queue: TaskQueue, worker: Worker) -> None:
    task = await queue.options(retry=Retry(2, delay=3600.0)).enqueue(fail_until, 2)

    async def failed_once() -> bool:
        info = await task.info()
        return info is not None and info.failures == 1

    await until(failed_once)
    assert await task.cancel()
    assert (await result_of(queue, task)).status is TaskStatus.CANCELLED


async def test_failed_task_gets_fresh_attempts_when_requeued(queue: TaskQueue, worker: Worker) -> None:
    task = await queue.options(retry=Retry(2, **SOON)).enqueue(fail_until, 4)
    await result_of(queue, task)

    await task.requeue()

    assert await task == 4
