"""What a running task knows of itself, and what tasks do not know of each other."""

import asyncio
import contextvars
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from running import echo

from sitq.context import check_cancelled, current_task
from sitq.queue import TaskQueue
from sitq.worker import Worker

colour: contextvars.ContextVar[str] = contextvars.ContextVar("colour", default="none")

Facts = tuple[str, int, str]


def own_facts() -> Facts:
    task = current_task()
    assert task is not None
    return task.id, task.attempt, task.name


async def own_facts_async() -> Facts:
    await asyncio.sleep(0)
    return own_facts()


def own_facts_later() -> Any:
    return own_facts_async()


async def own_facts_in_a_thread() -> Facts:
    return await asyncio.to_thread(own_facts)


async def own_facts_in_a_child_task() -> Facts:
    return await asyncio.create_task(own_facts_async())


FACTS = [own_facts, own_facts_async, own_facts_later, own_facts_in_a_thread, own_facts_in_a_child_task]


@pytest.mark.parametrize("function", FACTS)
async def test_task_knows_itself(function: Callable[[], Any], queue: TaskQueue, worker: Worker) -> None:
    task = await queue.options(name="who am I").enqueue(function)

    assert await task == (task, 1, "who am I")


@pytest.mark.parametrize("function", [own_facts, own_facts_async])
async def test_tasks_that_follow_each_other_know_themselves(
    function: Callable[[], Any], path: Path, queue: TaskQueue
) -> None:
    tasks = [await queue.enqueue(function) for _ in range(50)]

    await Worker(path, max_concurrency=2).run_until_empty(timeout=5)

    assert [(await task)[0] for task in tasks] == tasks


def test_outside_of_a_task_there_is_none() -> None:
    assert current_task() is None
    check_cancelled()


async def test_running_a_task_leaves_the_callers_context_alone(queue: TaskQueue, worker: Worker) -> None:
    await (await queue.enqueue(own_facts_async))

    assert current_task() is None


def no_deadline() -> tuple[Any, Any]:
    task = current_task()
    assert task is not None
    return task.deadline, task.seconds_left


async def test_task_without_a_timeout_has_no_deadline(queue: TaskQueue, worker: Worker) -> None:
    assert await (await queue.enqueue(no_deadline)) == (None, None)


def paint(new: str) -> str:
    before = colour.get()
    colour.set(new)
    return before


async def paint_async(new: str) -> str:
    return paint(new)


@pytest.mark.parametrize("function", [paint, paint_async])
async def test_context_variable_that_a_task_set_is_not_seen_by_others(
    function: Callable[[str], Any], path: Path, queue: TaskQueue
) -> None:
    tasks = await queue.map(function, ["red"] * 50)

    await Worker(path, max_concurrency=1).run_until_empty(timeout=5)

    assert {await task for task in tasks} == {"none"}


def see() -> str:
    return colour.get()


async def see_async() -> str:
    return colour.get()


@pytest.mark.parametrize("function", [see, see_async])
async def test_context_variable_set_before_the_start_is_seen_by_all(
    function: Callable[[], Any], path: Path, queue: TaskQueue
) -> None:
    tasks = [await queue.enqueue(function) for _ in range(50)]
    colour.set("blue")

    await Worker(path, max_concurrency=1).run_until_empty(timeout=5)

    assert {await task for task in tasks} == {"blue"}


async def test_threads_are_used_again(path: Path, queue: TaskQueue) -> None:
    idents = await queue.map(lambda _: threading.get_ident(), range(40))

    await Worker(path, max_concurrency=2).run_until_empty(timeout=5)

    assert len({await ident for ident in idents}) <= 2


async def test_threads_end_with_the_worker(path: Path, queue: TaskQueue) -> None:
    before = set(threading.enumerate())
    async with Worker(path):
        await (await queue.enqueue(echo, 1))
    await asyncio.sleep(0.1)

    assert [thread for thread in set(threading.enumerate()) - before if thread.name.startswith("sitq-task")] == []
