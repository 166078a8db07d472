"""Inspector: what people do with tasks by id, without a serializer at hand."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sitq import Inspector, TaskQueue, Worker
from sitq.core import TaskStatus

HOUR = 3600.0


@pytest.fixture
async def queue(path: Path) -> AsyncIterator[TaskQueue]:
    async with TaskQueue(path) as queue:
        yield queue


@pytest.fixture
async def inspector(queue: TaskQueue) -> AsyncIterator[Inspector]:
    async with Inspector(queue.backend) as inspector:
        yield inspector


async def drain(path: Path) -> None:
    await Worker(path, max_concurrency=1).run_until_empty(timeout=10)


async def test_rerun_stores_a_copy_with_the_same_call_and_options(queue: TaskQueue, inspector: Inspector) -> None:
    task = await queue.options(queue="mail", priority=3, tags=("a",), meta={"order": 7}, delay=HOUR).enqueue(abs, -7)

    ((old, new),) = (await inspector.rerun(task)).items()

    stored = await queue.backend.tasks([old, new])
    assert old == task
    assert stored[new] == stored[old]._replace(id=new, meta={"order": 7, "rerun_of": old})


async def test_rerun_copy_is_due_at_once_and_what_it_repeats_stays(
    path: Path, queue: TaskQueue, inspector: Inspector
) -> None:
    task = await queue.options(delay=HOUR).enqueue(abs, -7)

    (new,) = (await inspector.rerun(task)).values()
    await drain(path)

    assert await queue.handle(new) == 7
    info = await inspector.get_task(task)
    assert info is not None and info.status is TaskStatus.PENDING


async def test_rerun_takes_tasks_in_every_state_and_leaves_unknown_ids_out(
    path: Path, queue: TaskQueue, inspector: Inspector
) -> None:
    ended = await queue.enqueue(abs, -1)
    await drain(path)
    cancelled, waiting = await queue.map(abs, [-2, -3])
    await inspector.cancel(cancelled)

    copies = await inspector.rerun([ended, cancelled, "unknown", waiting, ended])

    assert list(copies) == [ended, cancelled, waiting]
    await drain(path)
    assert [await queue.handle(new) for new in copies.values()] == [1, 2, 3]


async def test_rerun_copy_of_a_key_that_is_held_goes_without_it(queue: TaskQueue, inspector: Inspector) -> None:
    holder = await queue.options(key="the only one", delay=HOUR).enqueue(abs, -7)

    (new,) = (await inspector.rerun(holder)).values()

    stored = await queue.backend.tasks([holder, new])
    assert (stored[holder].key, stored[new].key) == ("the only one", None)


async def test_run_now_takes_one_id_or_many(path: Path, queue: TaskQueue, inspector: Inspector) -> None:
    later = [await queue.options(delay=HOUR).enqueue(abs, number) for number in range(3)]

    assert await inspector.run_now(later[0]) == {later[0]}
    assert await inspector.run_now(later) == set(later[1:])
    await drain(path)

    assert {info.status for info in await inspector.list_tasks()} == {TaskStatus.SUCCESS}
