"""Calls on their way into the store: one, many, and what cannot be one."""

import asyncio
import functools
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from sitq.core import TaskStatus
from sitq.exceptions import ResourceExhaustionError, SerializationError, ValidationError
from sitq.handle import TaskHandle
from sitq.queue import TaskQueue
from sitq.serialization import CloudpickleSerializer

Drain = Callable[[], Any]


def collect(*args: Any, **kwargs: Any) -> tuple[Any, ...]:
    return args, kwargs


async def wait_a_moment() -> None:
    await asyncio.sleep(0)


async def test_enqueue_gives_the_tasks_id(queue: TaskQueue) -> None:
    task = await queue.enqueue(abs, 1)

    assert isinstance(task, str)
    assert isinstance(task, TaskHandle)
    assert (await queue.list_tasks())[0].id == task


async def test_arguments_arrive_as_they_were(queue: TaskQueue, drain: Drain) -> None:
    task = await queue.enqueue(collect, 1, "two", [3], key={"four": 4})
    await drain()

    assert await task == ((1, "two", [3]), {"key": {"four": 4}})


@pytest.mark.parametrize("name", ["func", "self", "queue", "priority", "timeout", "delay", "retry", "args", "options"])
async def test_keywords_of_any_name_go_to_the_function(name: str, queue: TaskQueue, drain: Drain) -> None:
    task = await queue.enqueue(collect, **{name: 1})
    await drain()

    assert await task == ((), {name: 1})


async def test_arguments_are_taken_as_they_are_at_this_moment(queue: TaskQueue, drain: Drain) -> None:
    items = [1]
    task = await queue.enqueue(collect, items)
    items.append(2)
    await drain()

    assert await task == (([1],), {})


@pytest.mark.parametrize("value", [None, 42, "print", b"code"])
async def test_what_cannot_be_called_is_refused(value: Any, queue: TaskQueue) -> None:
    with pytest.raises(ValidationError, match="a task must be callable, got"):
        await queue.enqueue(value)


async def test_coroutine_that_was_called_too_early_is_refused_with_a_hint(queue: TaskQueue) -> None:
    coroutine: Any = wait_a_moment()

    with pytest.raises(ValidationError, match="pass the function itself, without calling it"):
        await queue.enqueue(coroutine)
    coroutine.close()


async def test_argument_that_cannot_be_pickled_is_named(queue: TaskQueue) -> None:
    with pytest.raises(SerializationError, match="lock"):
        await queue.enqueue(collect, 1, locks=[threading.Lock()])
    assert await queue.list_tasks() == []


async def test_payload_that_is_too_large_is_refused(path: Path) -> None:
    async with TaskQueue(path, CloudpickleSerializer(max_bytes=10_000, warn_bytes=10_000)) as queue:
        with pytest.raises(ResourceExhaustionError, match="more than max_bytes"):
            await queue.enqueue(len, b"x" * 20_000)

        assert await queue.list_tasks() == []


async def test_id_of_a_handle_travels_as_a_string(queue: TaskQueue, drain: Drain) -> None:
    first = await queue.enqueue(abs, 1)
    second = await queue.enqueue(collect, str(first))
    await drain()

    (received,), _ = await second
    assert (type(received), received) == (str, str(first))


async def test_many_calls_are_stored_in_order(queue: TaskQueue, drain: Drain) -> None:
    tasks = await queue.enqueue_many(pow, [(2, exponent) for exponent in range(50)])
    await drain()

    assert tasks == sorted(tasks)
    assert [await task for task in tasks] == [2**exponent for exponent in range(50)]


async def test_more_calls_than_fit_one_transaction_are_stored(queue: TaskQueue) -> None:
    tasks = await queue.enqueue_many(abs, ((number,) for number in range(2500)))

    assert len(set(tasks)) == 2500
    assert (await queue.stats()).count(TaskStatus.PENDING) == 2500


async def test_no_calls_are_no_trouble(queue: TaskQueue) -> None:
    assert await queue.enqueue_many(abs, []) == []


async def test_one_bad_call_keeps_its_thousand_out(queue: TaskQueue) -> None:
    calls = [(number,) for number in range(10)] + [(threading.Lock(),)]

    with pytest.raises(SerializationError):
        await queue.enqueue_many(collect, calls)

    assert await queue.list_tasks() == []


@pytest.mark.parametrize("call", ["ab", b"ab", 1, None])
async def test_call_that_is_no_tuple_is_refused(call: Any, queue: TaskQueue) -> None:
    with pytest.raises(ValidationError, match="tuple of its arguments"):
        await queue.enqueue_many(collect, [call])


async def test_many_calls_of_what_cannot_be_called_are_refused(queue: TaskQueue) -> None:
    function: Any = 42

    with pytest.raises(ValidationError, match="a task must be callable"):
        await queue.enqueue_many(function, [(1,)])


async def test_map_takes_iterables_side_by_side(queue: TaskQueue, drain: Drain) -> None:
    tasks = await queue.map(pow, [2, 3, 4], [1, 2])
    await drain()

    assert [await task for task in tasks] == [2, 9]


async def test_coroutine_functions_can_be_mapped(queue: TaskQueue, drain: Drain) -> None:
    tasks = await queue.map(asyncio.sleep, [0, 0], ["a", "b"])
    await drain()

    assert [await task for task in tasks] == ["a", "b"]


async def test_enqueueing_at_once_stores_all(queue: TaskQueue) -> None:
    tasks = await asyncio.gather(*(queue.enqueue(abs, number) for number in range(500)))

    assert len(set(tasks)) == 500
    assert (await queue.stats()).count(TaskStatus.PENDING) == 500


async def test_naive_eta_is_refused(queue: TaskQueue) -> None:
    with pytest.raises(ValidationError, match="eta must be timezone-aware, got 2030-01-01 00:00:00"):
        await queue.enqueue(abs, 1, eta=datetime(2030, 1, 1))


@pytest.mark.parametrize("eta", [60, timedelta(minutes=1), "2030-01-01"])
async def test_eta_that_is_no_datetime_is_refused(eta: Any, queue: TaskQueue) -> None:
    with pytest.raises(ValidationError, match="eta must be a timezone-aware datetime"):
        await queue.enqueue(abs, 1, eta=eta)


async def test_eta_of_another_zone_is_the_same_moment(queue: TaskQueue) -> None:
    eta = datetime(2030, 1, 1, 12, tzinfo=timezone(timedelta(hours=5, minutes=30)))

    info = await (await queue.enqueue(abs, 1, eta=eta)).info()

    assert info is not None
    assert info.due_at == datetime(2030, 1, 1, 6, 30, tzinfo=UTC)


async def test_eta_that_has_passed_is_due_now(queue: TaskQueue, drain: Drain) -> None:
    task = await queue.enqueue(abs, -1, eta=datetime(1980, 1, 1, tzinfo=UTC))
    await drain()

    assert await task == 1


async def test_store_tells_name_and_arguments(queue: TaskQueue) -> None:
    info = await (await queue.enqueue(functools.partial(collect, 1), 2, key="value")).info()

    assert info is not None
    assert info.name == f"{__name__}.collect"
    assert info.arguments == "2, key='value'"


class array:  # a name that the standard library's short repr takes for its own
    pass


@pytest.mark.parametrize("value", [10**5000, [10**5000], [array()]], ids=["int", "ints", "array"])
async def test_value_that_is_hard_to_show_is_stored(value: Any, queue: TaskQueue) -> None:
    assert await queue.enqueue(collect, value)


async def test_keyword_that_is_no_valid_unicode_is_no_trouble(queue: TaskQueue, drain: Drain) -> None:
    task = await queue.enqueue(collect, **{"\udcff": 1})
    await drain()

    assert await task == ((), {"\udcff": 1})
