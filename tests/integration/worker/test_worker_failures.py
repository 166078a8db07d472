"""What goes wrong in user code ends its task, tells where it happened, and leaves the worker as it was."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from running import echo, result_of

from sitq.core import TaskStatus
from sitq.exceptions import TaskExecutionError
from sitq.queue import TaskQueue
from sitq.worker import Worker


def fail(error: BaseException | type[BaseException]) -> None:
    raise error


async def fail_async(error: BaseException | type[BaseException]) -> None:
    await asyncio.sleep(0)
    raise error


BOTH = pytest.mark.parametrize("function", [fail, fail_async])


@BOTH
async def test_exception_fails_the_task_with_one_line(
    function: Callable[..., Any], queue: TaskQueue, worker: Worker
) -> None:
    result = await result_of(queue, await queue.enqueue(function, ValueError("no\nsuch thing")))

    assert (result.status, result.error, result.value) == (TaskStatus.FAILED, "ValueError: no", None)


@BOTH
async def test_failure_is_final_without_a_policy(
    function: Callable[..., Any], queue: TaskQueue, worker: Worker
) -> None:
    task = await queue.enqueue(function, ValueError)
    await result_of(queue, task)

    assert len(await queue.attempts(task)) == 1


@BOTH
@pytest.mark.parametrize("retry", [None, 1])
async def test_traceback_starts_at_user_code(
    function: Callable[..., Any], retry: int | None, queue: TaskQueue, worker: Worker
) -> None:
    result = await result_of(queue, await queue.options(retry=retry).enqueue(function, ValueError("no")))

    lines = (result.traceback or "").splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1].endswith(f"in {function.__name__}")
    assert lines[-1] == "ValueError: no"


async def fail_in_time(seconds: float) -> None:
    await asyncio.sleep(0)
    raise LookupError("no")


async def test_traceback_of_a_task_with_a_timeout_starts_at_user_code(queue: TaskQueue, worker: Worker) -> None:
    result = await result_of(queue, await queue.options(timeout=9.0).enqueue(fail_in_time, 0))

    assert (result.traceback or "").splitlines()[1].endswith("in fail_in_time")


def fail_with_cause() -> None:
    try:
        raise KeyError("inner")
    except KeyError as exc:
        exc.add_note("a note")
        raise ValueError("outer") from exc


async def test_traceback_holds_causes_and_notes(queue: TaskQueue, worker: Worker) -> None:
    result = await result_of(queue, await queue.enqueue(fail_with_cause))

    assert "KeyError: 'inner'\na note\n" in (result.traceback or "")
    assert "direct cause" in (result.traceback or "")


async def test_awaiting_a_failed_task_raises_with_its_traceback_in_the_notes(queue: TaskQueue, worker: Worker) -> None:
    task = await queue.enqueue(fail, ValueError("no"))

    with pytest.raises(TaskExecutionError, match="ValueError: no") as caught:
        await task
    assert "in fail" in caught.value.__notes__[0]


@BOTH
@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, asyncio.CancelledError, GeneratorExit, StopIteration])
async def test_exception_of_any_kind_ends_only_its_task(
    function: Callable[..., Any], kind: type[BaseException], queue: TaskQueue, worker: Worker
) -> None:
    failed = await queue.enqueue(function, kind)
    result = await queue.get_result(failed, timeout=2.0)

    assert result is not None
    assert result.status is TaskStatus.FAILED
    assert await (await queue.enqueue(echo, "still here")) == "still here"


async def cancel_itself_at_the_end() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()


async def test_coroutine_that_cancels_itself_ends_only_its_task(path: Any, queue: TaskQueue) -> None:
    async with Worker(path, max_concurrency=1, grace=0):
        ended = await queue.get_result(await queue.enqueue(cancel_itself_at_the_end), timeout=2.0)
        after = await queue.get_result(await queue.enqueue(echo, 1), timeout=2.0)

    assert ended is not None
    assert after is not None


def return_locks() -> dict[str, Any]:
    return {"locks": [threading.Lock()]}


async def return_locks_async() -> dict[str, Any]:
    return return_locks()


@pytest.mark.parametrize("function", [return_locks, return_locks_async])
async def test_value_that_cannot_be_pickled_fails_and_is_named(
    function: Callable[..., Any], queue: TaskQueue, worker: Worker
) -> None:
    result = await result_of(queue, await queue.enqueue(function))

    assert result.status is TaskStatus.FAILED
    assert (result.error or "").startswith("SerializationError: ")
    assert "result['locks'][0]" in (result.error or "")


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def fail_unspeakably() -> None:
    raise UnspeakableError


async def test_exception_without_words_fails_the_task(queue: TaskQueue, worker: Worker) -> None:
    result = await result_of(queue, await queue.enqueue(fail_unspeakably))

    assert (result.error or "").startswith("UnspeakableError: ")


@BOTH
@pytest.mark.parametrize("message", ["\udcff.txt", "nul \0 byte", "line\x1b[31m", "", "x" * 5000])
async def test_message_of_any_text_ends_only_its_task(
    message: str, function: Callable[..., Any], queue: TaskQueue, worker: Worker
) -> None:
    task = await queue.enqueue(function, ValueError(message))
    result = await queue.get_result(task, timeout=2.0)

    assert result is not None
    assert (result.error or "").startswith("ValueError")
    assert await (await queue.enqueue(echo, "still here")) == "still here"


def recurse() -> None:
    recurse()


async def test_endless_recursion_ends_only_its_task(queue: TaskQueue, worker: Worker) -> None:
    result = await result_of(queue, await queue.enqueue(recurse))

    assert (result.error or "").startswith("RecursionError: ")


async def test_traceback_of_an_endless_message_is_cut_in_the_middle(queue: TaskQueue, worker: Worker) -> None:
    def shout() -> None:
        raise ValueError("x" * 1_000_000 + "end")

    result = await queue.get_result(await queue.enqueue(shout), timeout=5.0)

    assert result is not None
    assert result.traceback is not None
    assert len(result.traceback) < 101_000
    assert "characters left out" in result.traceback
    assert result.traceback.endswith("xend\n")
