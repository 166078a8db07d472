"""What a task may raise to say more than that it failed."""

import pickle

import pytest

from sitq import Discard, RetryAfter, Snooze, TaskQueue, TaskStatus, ValidationError, Worker, current_task
from sitq.core import Cause


def attempt() -> int:
    context = current_task()
    assert context is not None
    return context.attempt


def snooze_twice() -> int:
    if attempt() < 3:
        raise Snooze(0.01)
    return attempt()


async def come_back_once() -> int:
    if attempt() < 2:
        raise RetryAfter(0.01, "busy")
    return attempt()


def always_come_back() -> None:
    raise RetryAfter(0.0)


def discard() -> None:
    raise Discard("no such order")


async def causes(queue: TaskQueue, task_id: str) -> list[Cause | None]:
    return [attempt.cause for attempt in await queue.attempts(task_id)]


async def test_snooze_runs_the_task_again_and_charges_nothing(queue: TaskQueue, worker: Worker) -> None:
    task = await queue.enqueue(snooze_twice)

    assert await task == 3
    assert await causes(queue, task) == [Cause.SNOOZED, Cause.SNOOZED, Cause.SUCCESS]
    info = await task.info()
    assert info is not None
    assert (info.failures, info.crashes) == (0, 0)


async def test_retry_after_runs_the_task_again_without_a_policy(queue: TaskQueue, worker: Worker) -> None:
    task = await queue.enqueue(come_back_once)

    assert await task == 2
    assert await causes(queue, task) == [Cause.ERROR, Cause.SUCCESS]


@pytest.mark.parametrize(("retry", "attempts"), [(None, 3), (2, 2)])
async def test_retry_after_is_bounded_by_the_policy(
    retry: int | None, attempts: int, queue: TaskQueue, worker: Worker
) -> None:
    task = await queue.options(retry=retry).enqueue(always_come_back)

    result = await queue.get_result(task, timeout=5.0)

    assert result is not None
    assert (result.status, result.attempt) == (TaskStatus.FAILED, attempts)


async def test_discard_fails_at_once_whatever_the_policy_says(queue: TaskQueue, worker: Worker) -> None:
    task = await queue.options(retry=5).enqueue(discard)

    result = await queue.get_result(task, timeout=5.0)

    assert result is not None
    assert (result.status, result.attempt, result.error) == (TaskStatus.FAILED, 1, "Discard: no such order")


@pytest.mark.parametrize("kind", [Snooze, RetryAfter])
def test_negative_delay_is_refused(kind: type[Exception]) -> None:
    with pytest.raises(ValidationError, match="delay must be 0 seconds or more, got -1"):
        kind(-1)


@pytest.mark.parametrize("signal", [Snooze(2.0), RetryAfter(3.0, "busy"), Discard("no")])
def test_signal_survives_pickling(signal: Exception) -> None:
    again = pickle.loads(pickle.dumps(signal))

    assert (type(again), str(again), vars(again)) == (type(signal), str(signal), vars(signal))
