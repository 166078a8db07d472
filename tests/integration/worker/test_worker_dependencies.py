"""Values that go from task to task: filled in wherever a handle stood, on the loop, on threads and in processes."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sitq import (
    JsonSerializer,
    Retry,
    SignedSerializer,
    SyncTaskQueue,
    TaskCancelledError,
    TaskExecutionError,
    TaskQueue,
    TaskQueueError,
    ValidationError,
    Worker,
)
from sitq.core import Claim, Outcome
from sitq.middleware import CallNext


def add(a: int, b: int) -> int:
    return a + b


async def add_async(a: int, b: int) -> int:
    return a + b


def fail() -> None:
    raise ValueError("no luck")


def same(value: Any) -> Any:
    return value


@dataclass
class Box:
    content: Any


@pytest.mark.parametrize("options", [{}, {"executor": "process"}])
@pytest.mark.parametrize("function", [add, add_async])
async def test_value_takes_the_place_of_the_handle(
    queue: TaskQueue, worker: Worker, function: Any, options: dict[str, str]
) -> None:
    first = await queue.enqueue(add, 1, 2)

    second = await queue.options(**options).enqueue(function, first, b=first)

    assert await second == 6


async def test_handles_are_found_however_deep(queue: TaskQueue, worker: Worker) -> None:
    handle = await queue.enqueue(add, 1, 2)
    deep = {"list": [handle, {"tuple": (handle, 0)}], "box": Box([handle]), "id": str(handle)}

    value = await (await queue.enqueue(same, deep))

    assert value == {"list": [3, {"tuple": (3, 0)}], "box": Box([3]), "id": str(handle)}


async def test_value_is_loaded_once_for_an_attempt(queue: TaskQueue, worker: Worker) -> None:
    handle = await queue.enqueue(same, [1])

    assert await (await queue.enqueue(lambda a, b: a is b, handle, handle))


async def test_each_call_of_a_map_has_needs_of_its_own(queue: TaskQueue, worker: Worker) -> None:
    firsts = await queue.map(same, range(5))

    seconds = await queue.map(add, firsts, [10] * 5)

    assert await queue.gather(*seconds) == [10, 11, 12, 13, 14]
    assert [await queue.needs(second) for second in seconds] == [[first] for first in firsts]


async def test_handle_in_a_function_or_a_result_is_the_id(queue: TaskQueue, worker: Worker) -> None:
    handle = await queue.enqueue(same, 3)

    assert await (await queue.enqueue(lambda: handle)) == str(handle)


async def test_after_waits_without_a_value(queue: TaskQueue, worker: Worker, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    first = await queue.options(delay=0.1).enqueue(mark.touch)

    second = await queue.options(after=[first]).enqueue(mark.exists)

    assert await second is True


@pytest.mark.parametrize("serializer", [JsonSerializer(), SignedSerializer(None, bytes(16))])
async def test_other_serializers_fill_in_values(path: Path, serializer: Any) -> None:
    async with TaskQueue(path, serializer) as queue, Worker(path, serializer):
        handle = await queue.enqueue(sum, [1, 2])

        assert await (await queue.enqueue(sum, [handle, 4])) == 7


async def test_sync_queue_passes_values_on(path: Path) -> None:
    def use() -> int:
        with SyncTaskQueue(path) as queue:
            first = queue.enqueue(add, 1, 2)
            return queue.get_result(queue.enqueue(add, first, 10), timeout=10)

    async with Worker(path):
        assert await asyncio.to_thread(use) == 13


async def test_failure_cancels_what_needs_it(queue: TaskQueue, worker: Worker) -> None:
    failed = await queue.enqueue(fail)
    dependent = await queue.enqueue(same, failed)

    with pytest.raises(TaskCancelledError, match=f"task {failed}, which it needs, failed"):
        await dependent


async def test_task_that_runs_all_the_same_gets_the_error(queue: TaskQueue, worker: Worker) -> None:
    failed = await queue.enqueue(fail)
    dependent = await queue.options(on_failure="run").enqueue(same, failed)

    error = await dependent

    assert isinstance(error, TaskExecutionError)
    assert str(error) == "ValueError: no luck"


async def test_value_that_was_deleted_meanwhile_is_an_error(queue: TaskQueue, path: Path) -> None:
    async with Worker(path) as worker:
        first = await queue.enqueue(same, 1)
        await first
        await worker.stop()
    dependent = await queue.enqueue(same, first)
    await queue.delete(first)

    async with Worker(path):
        result = await queue.get_result(dependent)

    assert result is not None
    assert result.error == f"TaskQueueError: the call needs the value of task {first}, which was deleted"


async def test_handle_of_another_store_is_refused(queue: TaskQueue, tmp_path: Path) -> None:
    async with TaskQueue(tmp_path / "other.db") as other:
        foreign = await other.enqueue(same, 1)

    with pytest.raises(TaskQueueError, match=f"needs task {foreign}, and there is none of that id"):
        await queue.enqueue(same, foreign)


async def test_gather_gives_errors_in_their_place_if_asked(queue: TaskQueue, worker: Worker) -> None:
    handles = [await queue.enqueue(same, 1), await queue.enqueue(fail)]

    value, error = await queue.gather(*handles, return_exceptions=True)

    assert (value, type(error)) == (1, TaskExecutionError)
    with pytest.raises(TaskExecutionError, match="no luck"):
        await queue.gather(*handles)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"on_failure": "explode"}, 'on_failure must be "cancel", "run" or "fail", got \'explode\''),
        ({"after": 7}, "after must be a task's handle or id, or a list of them, got 7"),
    ],
)
def test_impossible_options_are_refused(path: Path, option: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TaskQueue(path).options(**option)

    assert str(caught.value) == message


async def test_chain_is_run_in_order(queue: TaskQueue, worker: Worker) -> None:
    handle = await queue.enqueue(same, 0)
    for _ in range(100):
        handle = await queue.enqueue(add, handle, 1)

    assert await handle == 100


async def test_fan_out_and_in(queue: TaskQueue, worker: Worker) -> None:
    source = await queue.enqueue(same, 1)
    middle = await queue.map(add, [source] * 500, range(500))

    total = await queue.enqueue(sum, middle)

    assert await total == 500 + sum(range(500))


async def test_task_that_failed_with_what_it_needs_names_it(queue: TaskQueue, worker: Worker) -> None:
    failed = await queue.enqueue(fail)
    dependent = await queue.options(on_failure="fail").enqueue(same, failed)

    with pytest.raises(TaskExecutionError) as caught:
        await dependent

    assert str(caught.value) == f"task {failed}, which it needs, failed"


async def test_middleware_that_raises_meets_the_policy_of_a_task_with_needs(path: Path) -> None:
    tries: list[str] = []

    async def refuse_once(claim: Claim, call_next: CallNext) -> Outcome:
        tries.append(claim.id)
        if claim.waited and tries.count(claim.id) == 1:
            raise ConnectionError("not yet")
        return await call_next()

    async with TaskQueue(path, default_result_timeout=10) as queue, Worker(path, middleware=[refuse_once]):
        first = await queue.enqueue(add, 1, 2)
        second = await queue.options(retry=Retry(max_attempts=2, delay=0.01)).enqueue(same, first)

        assert await second == 3
    assert tries.count(second) == 2
