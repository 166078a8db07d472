"""The stored calls of tasks again, as new tasks: with the same function or with a corrected one."""

import sqlite3
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sitq import JsonSerializer, Retry, TaskHandle, TaskInfo, TaskQuery, TaskQueue, TaskStatus, current_task, task
from sitq.exceptions import SerializationError, TaskQueueError, ValidationError

Drain = Callable[[], Awaitable[None]]

OPTIONS = {
    "queue": "slow",
    "priority": 3,
    "expires": 90.0,
    "timeout": 7.5,
    "retention": 3600.0,
    "tags": ("nightly",),
}


def fail(number: int, *, word: str = "") -> str:
    raise ValueError(f"no {number}{word}")


def mend(number: int, *, word: str = "") -> str:
    return f"yes {number}{word}"


async def mend_async(number: int, *, word: str = "") -> str:
    return mend(number, word=word)


def own_attempt(_: int) -> int:
    running = current_task()
    assert running is not None
    return running.attempt


@task(retry=Retry(max_attempts=4, delay=0.0), queue="elsewhere", timeout=1.0)
def mend_stubbornly(number: int) -> int:
    if own_attempt(number) < 3:
        raise ValueError("not yet")
    return number


async def look(queue: TaskQueue, task_id: str) -> TaskInfo:
    info = await queue.get_task(task_id)
    assert info is not None
    return info


async def failed(queue: TaskQueue, drain: Drain, /, *numbers: int, **options: Any) -> list[TaskHandle[Any]]:
    tasks = await queue.options(**options).enqueue_many(fail, [(number,) for number in numbers])
    await drain()
    return tasks


async def test_rerun_stores_a_new_task_and_leaves_the_old_one(queue: TaskQueue, drain: Drain) -> None:
    (old,) = await failed(queue, drain, 1)

    (new,) = await queue.rerun(old)
    await drain()

    assert new != old
    assert [(await look(queue, one)).error for one in (old, new)] == ["ValueError: no 1"] * 2
    assert len(await queue.attempts(old)) == 1


async def test_rerun_says_where_the_task_came_from(queue: TaskQueue, drain: Drain) -> None:
    (old,) = await failed(queue, drain, 1, meta={"order": 7})

    (new,) = await queue.rerun(old)
    (newer,) = await queue.rerun(new)

    assert (await look(queue, new)).meta == {"order": 7, "rerun_of": old}
    assert (await look(queue, newer)).meta == {"order": 7, "rerun_of": new}


async def test_rerun_keeps_the_options(queue: TaskQueue, drain: Drain) -> None:
    (old,) = await failed(queue, drain, 1, **OPTIONS)

    (new,) = await queue.rerun(old)

    before, after = await look(queue, old), await look(queue, new)
    for name in ("name", "queue", "priority", "timeout", "tags", "arguments", "executor", "max_attempts"):
        assert getattr(after, name) == getattr(before, name)
    assert after.expires_at is not None
    assert (after.expires_at - after.enqueued_at).total_seconds() == 90.0


async def test_rerun_is_due_at_once(queue: TaskQueue) -> None:
    old = await queue.options(delay=3600.0).enqueue(mend, 1)
    await queue.cancel(old)

    (new,) = await queue.rerun(old)

    assert (await look(queue, new)).phase(datetime.now(UTC)) == "pending"


async def test_rerun_with_a_corrected_function_has_the_old_arguments(queue: TaskQueue, drain: Drain) -> None:
    old = await queue.enqueue(fail, 3, word="!")
    await drain()

    (new,) = await queue.rerun(old, mend)
    await drain()

    assert await new == "yes 3!"


async def test_rerun_takes_functions_by_value_and_coroutine_functions(queue: TaskQueue, drain: Drain) -> None:
    (old,) = await failed(queue, drain, 3)

    new = [*await queue.rerun(old, lambda number: -number), *await queue.rerun(old, mend_async)]
    await drain()

    assert [await one for one in new] == [-3, "yes 3"]
    assert [(await look(queue, one)).executor for one in new] == [None, "loop"]


async def test_rerun_runs_a_corrected_function_where_the_task_was_asked_to_run(queue: TaskQueue, drain: Drain) -> None:
    (old,) = await failed(queue, drain, 1, executor="thread")

    (new,) = await queue.rerun(old, mend_async)

    assert (await look(queue, new)).executor == "thread"


async def test_rerun_names_the_task_after_the_corrected_function(queue: TaskQueue, drain: Drain) -> None:
    (plain,), (named,) = await failed(queue, drain, 1), await failed(queue, drain, 1, name="import orders")

    new = await queue.rerun([plain, named], mend)

    assert [(await look(queue, one)).name for one in new] == [f"{__name__}.mend", "import orders"]


async def test_rerun_keeps_the_retry_policy_of_the_old_call(queue: TaskQueue, drain: Drain) -> None:
    (old,) = await failed(queue, drain, 1, retry=Retry(max_attempts=2, delay=0.0))

    same, corrected = [*await queue.rerun(old), *await queue.rerun(old, lambda number: 1 // 0)]
    await drain()

    assert [len(await queue.attempts(one)) for one in (same, corrected)] == [2, 2]


async def test_rerun_takes_the_retry_policy_of_the_corrected_function(queue: TaskQueue, drain: Drain) -> None:
    (old,) = await failed(queue, drain, 1, timeout=7.5)

    (new,) = await queue.rerun(old, mend_stubbornly)
    await drain()

    info = await look(queue, new)
    assert (await new, info.max_attempts, info.queue, info.timeout) == (1, 4, "default", 7.5)


async def test_rerun_by_query_takes_all_that_failed_in_their_order(queue: TaskQueue, drain: Drain) -> None:
    good = await queue.enqueue(mend, 0)
    old = await failed(queue, drain, *range(2500))

    new = await queue.rerun(TaskQuery(name=f"{__name__}.*"), mend)

    assert len(new) == 2500
    origins = [(await look(queue, one)).meta for one in (new[0], new[-1])]
    assert origins == [{"rerun_of": old[0]}, {"rerun_of": old[-1]}]
    assert (await look(queue, good)).status is TaskStatus.SUCCESS


async def test_rerun_by_query_takes_the_statuses_named(queue: TaskQueue, drain: Drain) -> None:
    good = await queue.enqueue(mend, 0)
    await failed(queue, drain, 1)

    (new,) = await queue.rerun(TaskQuery(statuses=(TaskStatus.SUCCESS, TaskStatus.PENDING)))

    assert (await look(queue, new)).meta == {"rerun_of": good}


async def test_rerun_by_query_is_not_bounded_by_its_page(queue: TaskQueue, drain: Drain) -> None:
    await failed(queue, drain, *range(5))

    assert len(await queue.rerun(TaskQuery(limit=2))) == 5
    assert await queue.rerun(TaskQuery(name="nobody")) == []


async def test_rerun_of_an_unknown_id_is_refused_and_nothing_is_stored(queue: TaskQueue, drain: Drain) -> None:
    (old,) = await failed(queue, drain, 1)

    with pytest.raises(TaskQueueError, match="there is no task nobody; it was deleted, or is in another store"):
        await queue.rerun([old, "nobody"])

    assert len(await queue.list_tasks()) == 1


async def test_rerun_of_an_id_named_twice_is_one_task(queue: TaskQueue, drain: Drain) -> None:
    (old,) = await failed(queue, drain, 1)

    assert len(await queue.rerun([old, old])) == 1


async def test_rerun_keeps_its_key_unless_it_is_held(queue: TaskQueue, drain: Drain) -> None:
    old = [*await failed(queue, drain, 1, key="report"), *await failed(queue, drain, 2, key="report")]

    new = await queue.rerun(old, mend)
    keys = [(await look(queue, one)).key for one in new]
    await drain()

    assert keys == ["report", None]
    assert [await one for one in new] == ["yes 1", "yes 2"]


async def test_rerun_of_a_payload_that_cannot_be_loaded_names_the_task(
    queue: TaskQueue, drain: Drain, path: Path
) -> None:
    old = await failed(queue, drain, 1, 2)
    with sqlite3.connect(path) as db:
        db.execute("update task set payload = substr(payload, 1, length(payload) - 3) where id = ?", (old[1],))
    db.close()

    with pytest.raises(SerializationError, match=f"task {old[1]} .* cannot be loaded here: ") as caught:
        await queue.rerun(old, mend)

    assert caught.value.context == {"task_id": old[1]}
    assert len(await queue.list_tasks()) == 2


async def test_rerun_without_a_function_loads_nothing(queue: TaskQueue, drain: Drain, path: Path) -> None:
    (old,) = await failed(queue, drain, 1)
    async with TaskQueue(path, JsonSerializer()) as stranger:
        (new,) = await stranger.rerun(old)
    await drain()

    assert (await look(queue, new)).error == "ValueError: no 1"


async def test_rerun_refuses_what_is_no_function(queue: TaskQueue, drain: Drain) -> None:
    (old,) = await failed(queue, drain, 1)

    with pytest.raises(ValidationError, match="a task must be callable, got int 3"):
        await queue.rerun(old, 3)  # type: ignore[arg-type]


async def test_handle_reruns_its_task(queue: TaskQueue, drain: Drain) -> None:
    (old,) = await failed(queue, drain, 4)

    new = await old.rerun(mend)
    await drain()

    assert await new == "yes 4"


def add(a: int, b: int) -> int:
    return a + b


def multiply(a: int, b: int) -> int:
    return a * b


@pytest.mark.parametrize(("function", "value"), [(None, 7), (multiply, 12)])
async def test_rerun_takes_the_values_of_other_tasks_again(
    queue: TaskQueue, drain: Drain, function: Any, value: int
) -> None:
    needed = await queue.enqueue(abs, -4)
    dependent = await queue.enqueue(add, needed, 3)
    await drain()

    (again,) = await queue.rerun(dependent, function)
    await drain()

    assert await again == value
    assert await queue.needs(again) == [needed]


async def test_replay_takes_the_values_of_other_tasks(queue: TaskQueue, drain: Drain) -> None:
    needed = await queue.enqueue(abs, -4)
    dependent = await queue.enqueue(add, needed, 3)
    await drain()

    assert await queue.replay(dependent) == 7
