"""What can be a task: any callable, run on the loop if it is a coroutine function, else on a thread."""

import asyncio
import functools
import math
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from running import echo, echo_async, result_of, until_status

from sitq.core import Task, TaskStatus, new_task_id
from sitq.queue import TaskQueue
from sitq.serialization import CloudpickleSerializer
from sitq.worker import Worker


class Doubler:
    def double(self, value: int) -> int:
        return 2 * value

    async def double_async(self, value: int) -> int:
        return 2 * value

    async def __call__(self, value: int) -> int:
        return 2 * value


def double(value: int, factor: int = 2) -> int:
    return factor * value


async def double_async(value: int, factor: int = 2) -> int:
    await asyncio.sleep(0)
    return factor * value


def double_later(value: int) -> Awaitable[int]:
    return double_async(value)


KINDS = {
    "function": double,
    "coroutine function": double_async,
    "lambda": lambda value: 2 * value,
    "lambda around a coroutine function": lambda value: double_async(value),
    "partial": functools.partial(double, factor=2),
    "partial of a coroutine function": functools.partial(double_async, factor=2),
    "bound method": Doubler().double,
    "bound coroutine method": Doubler().double_async,
    "object with a coroutine call": Doubler(),
    "function that returns an awaitable": double_later,
    "builtin": functools.partial(math.prod, start=2),
    "class": lambda value: complex(2 * value).real,
}


@pytest.mark.parametrize("kind", KINDS)
async def test_callable_of_any_kind_is_called(kind: str, queue: TaskQueue, worker: Worker) -> None:
    argument: Any = [21] if kind == "builtin" else 21

    task = await queue.enqueue(KINDS[kind], argument)

    assert await task == 42


async def test_class_is_called(queue: TaskQueue, worker: Worker) -> None:
    assert await (await queue.enqueue(complex, 1, imag=2)) == 1 + 2j


def nested(*, asynchronous: bool) -> Callable[[], Any]:
    offset = 40

    def add() -> int:
        return offset + 2

    async def add_async() -> int:
        return offset + 2

    return add_async if asynchronous else add


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_nested_function_brings_what_it_captured(asynchronous: bool, queue: TaskQueue, worker: Worker) -> None:
    task = await queue.enqueue(nested(asynchronous=asynchronous))

    assert await task == 42


def thread_facts() -> tuple[int, bool]:
    return threading.get_ident(), threading.current_thread().daemon


async def thread_facts_async() -> tuple[int, bool]:
    return thread_facts()


async def test_coroutine_function_runs_on_the_workers_loop(queue: TaskQueue, worker: Worker) -> None:
    thread, _ = await (await queue.enqueue(thread_facts_async))

    assert thread == threading.get_ident()


async def test_function_runs_on_a_daemon_thread(queue: TaskQueue, worker: Worker) -> None:
    thread, daemon = await (await queue.enqueue(thread_facts))

    assert thread != threading.get_ident()
    assert daemon


def thread_facts_later() -> Awaitable[tuple[int, bool]]:
    return thread_facts_async()


async def test_awaitable_that_a_function_returned_runs_on_the_workers_loop(queue: TaskQueue, worker: Worker) -> None:
    thread, _ = await (await queue.enqueue(thread_facts_later))

    assert thread == threading.get_ident()


async def count_to(number: int) -> AsyncIterator[int]:
    for value in range(number):
        yield value


async def test_async_generator_fails_and_is_named(queue: TaskQueue, worker: Worker) -> None:
    result = await result_of(queue, await queue.enqueue(count_to, 3))

    assert result.status is TaskStatus.FAILED
    assert "async_generator" in (result.error or "")


@pytest.mark.parametrize("function", [echo, echo_async])
@pytest.mark.parametrize("value", [None, "", 0, False, [], {}, (1, "two"), {"a": {1, 2}}], ids=repr)
async def test_value_comes_back_as_it_was(
    function: Callable[[Any], Any], value: Any, queue: TaskQueue, worker: Worker
) -> None:
    task = await queue.enqueue(function, value)

    assert await task == value


@pytest.mark.filterwarnings("ignore::sitq.serialization.LargePayloadWarning")
@pytest.mark.parametrize("size", [1024, 5_000_000])
async def test_large_value_comes_back(size: int, queue: TaskQueue, worker: Worker) -> None:
    task = await queue.enqueue(bytes, size)

    assert await task == bytes(size)


async def test_value_of_none_is_told_from_no_value(queue: TaskQueue, worker: Worker) -> None:
    result = await result_of(queue, await queue.enqueue(echo, None))

    assert result.status is TaskStatus.SUCCESS
    assert queue.deserialize_result(result) is None


async def test_payload_of_another_python_is_left_alone(queue: TaskQueue, worker: Worker) -> None:
    payload = CloudpickleSerializer().dumps_call(nested(asynchronous=False), (), {})
    foreign = Task(id=new_task_id(), name="foreign", payload=payload, python="3.4")
    await queue.backend.enqueue([foreign])
    await (await queue.enqueue(echo, 1))

    info = await queue.get_task(foreign.id)

    assert info is not None
    assert (info.status, info.attempt) == (TaskStatus.PENDING, 0)
    assert "3.4" in (info.waits_for or "")


async def test_payload_that_cannot_be_read_fails(queue: TaskQueue, worker: Worker) -> None:
    broken = Task(id=new_task_id(), name="broken", payload=b"not a call")
    await queue.backend.enqueue([broken])

    info = await until_status(queue, broken.id, TaskStatus.FAILED)

    assert (info.error or "").startswith("SerializationError: ")
