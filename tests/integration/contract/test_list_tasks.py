"""list_tasks: every filter, every field, and pages that cover everything once."""

from datetime import timedelta
from typing import Any

import pytest

from contract.builders import (
    HOUR,
    claim_all,
    failure,
    look_up,
    make_task,
    run_one,
    success,
)
from sitq.backends.base import Backend
from sitq.core import Task, TaskStatus, WorkerInfo
from sitq.views import TaskInfo, TaskQuery


async def ids_of(backend: Backend, **conditions: Any) -> list[str]:
    return [info.id for info in await backend.list_tasks(TaskQuery(**conditions))]


async def enqueue_named(backend: Backend, *names: str) -> dict[str, str]:
    """Enqueue a task of each name, and tell the names by id."""
    tasks = [make_task(name=name) for name in names]
    await backend.enqueue(tasks)
    return {task.id: task.name for task in tasks}


async def one_of_each_status(backend: Backend, worker: WorkerInfo) -> dict[TaskStatus, str]:
    await backend.enqueue([make_task() for _ in range(3)])
    good, bad, running = await claim_all(backend, worker)
    await backend.finish([success(good), failure(bad)])
    cancelled, pending = make_task(), make_task()
    await backend.enqueue([cancelled, pending])
    await backend.cancel([cancelled.id])
    return {
        TaskStatus.SUCCESS: good.id,
        TaskStatus.FAILED: bad.id,
        TaskStatus.RUNNING: running.id,
        TaskStatus.CANCELLED: cancelled.id,
        TaskStatus.PENDING: pending.id,
    }


async def read_pages(backend: Backend, limit: int, **conditions: Any) -> list[TaskInfo]:
    """Page through to the end, and give back all that came."""
    seen: list[TaskInfo] = []
    while page := await backend.list_tasks(TaskQuery(limit=limit, before=seen[-1].id if seen else None, **conditions)):
        assert len(page) <= limit
        seen += page
    return seen


async def test_list_of_an_empty_store_is_empty(backend: Backend) -> None:
    assert await backend.list_tasks(TaskQuery()) == []


async def test_list_has_the_newest_first(backend: Backend) -> None:
    tasks = [make_task(priority=number % 3) for number in range(10)]
    for task in tasks:
        await backend.enqueue([task])

    assert await ids_of(backend) == [task.id for task in reversed(tasks)]


async def test_list_has_no_more_than_the_limit(backend: Backend) -> None:
    tasks = [make_task() for _ in range(5)]
    await backend.enqueue(tasks)

    assert await ids_of(backend, limit=2) == [tasks[4].id, tasks[3].id]


@pytest.mark.parametrize("limit", [1, 3, 7, 50])
async def test_pages_cover_everything_once(backend: Backend, limit: int) -> None:
    tasks = [make_task(queue=f"lane-{number % 3}", priority=number % 2) for number in range(21)]
    await backend.enqueue(tasks)

    pages = await read_pages(backend, limit)

    assert [info.id for info in pages] == [task.id for task in reversed(tasks)]


async def test_pages_keep_to_the_filters(backend: Backend, worker: WorkerInfo) -> None:
    tasks = [make_task(queue=f"lane-{number % 2}", name=f"job_{number % 3}") for number in range(60)]
    await backend.enqueue(tasks)
    await claim_all(backend, worker)

    pages = await read_pages(backend, 4, queue="lane-1", name="job_2", statuses=(TaskStatus.RUNNING,))

    wanted = [task.id for task in reversed(tasks) if (task.queue, task.name) == ("lane-1", "job_2")]
    assert [info.id for info in pages] == wanted


async def test_pages_are_not_disturbed_by_tasks_that_come_in_between(backend: Backend) -> None:
    tasks = [make_task() for _ in range(6)]
    await backend.enqueue(tasks)
    first = await ids_of(backend, limit=3)
    await backend.enqueue([make_task() for _ in range(4)])

    second = await ids_of(backend, limit=3, before=first[-1])

    assert first + second == [task.id for task in reversed(tasks)]


async def test_list_by_ids_leaves_unknown_ones_out(backend: Backend) -> None:
    tasks = [make_task() for _ in range(4)]
    await backend.enqueue(tasks)

    found = await ids_of(backend, ids=(tasks[0].id, "unknown", tasks[2].id))

    assert found == [tasks[2].id, tasks[0].id]


@pytest.mark.parametrize("status", list(TaskStatus))
async def test_list_by_status(backend: Backend, worker: WorkerInfo, status: TaskStatus) -> None:
    by_status = await one_of_each_status(backend, worker)

    assert await ids_of(backend, statuses=(status,)) == [by_status[status]]


async def test_list_by_several_statuses(backend: Backend, worker: WorkerInfo) -> None:
    by_status = await one_of_each_status(backend, worker)
    wanted = (TaskStatus.FAILED, TaskStatus.PENDING)

    assert set(await ids_of(backend, statuses=wanted)) == {by_status[status] for status in wanted}


async def test_list_by_status_has_the_newest_first(backend: Backend, worker: WorkerInfo) -> None:
    tasks = [make_task() for _ in range(6)]
    await backend.enqueue(tasks)
    claims = await claim_all(backend, worker)
    await backend.finish([failure(claim) for claim in reversed(claims[1:4])])

    found = await ids_of(backend, statuses=(TaskStatus.FAILED, TaskStatus.RUNNING))

    assert found == [task.id for task in reversed(tasks)]


async def test_list_by_queue(backend: Backend) -> None:
    tasks = [make_task(queue=queue) for queue in ("mail", "video", "mail")]
    await backend.enqueue(tasks)

    assert await ids_of(backend, queue="mail") == [tasks[2].id, tasks[0].id]
    assert await ids_of(backend, queue="unknown") == []


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("send_mail", {"send_mail"}),
        ("send", set()),
        ("send*", {"send_mail", "sendXmail", "send%mail"}),
        ("*mail", {"send_mail", "sendXmail", "send%mail"}),
        ("s*_*l", {"send_mail"}),
        ("send%*", {"send%mail"}),
        ("send?mail", set()),
        ("[a]", {"[a]"}),
        ("it's <*>", {"it's <lambda>"}),
        ("*", {"send_mail", "sendXmail", "send%mail", "[a]", "a", "it's <lambda>"}),
    ],
)
async def test_list_by_name_takes_only_the_star_for_any_text(backend: Backend, pattern: str, wanted: set[str]) -> None:
    names = await enqueue_named(backend, "send_mail", "sendXmail", "send%mail", "[a]", "a", "it's <lambda>")

    assert {names[task_id] for task_id in await ids_of(backend, name=pattern)} == wanted


async def test_filters_hold_together(backend: Backend, worker: WorkerInfo) -> None:
    await run_one(backend, worker, queue="mail", name="send")
    wanted = make_task(queue="mail", name="send")
    await backend.enqueue([wanted, make_task(queue="mail", name="read"), make_task(name="send")])

    found = await ids_of(backend, queue="mail", name="send", statuses=(TaskStatus.PENDING,))

    assert found == [wanted.id]


RICH = {
    "name": "größe <lambda>",
    "queue": "mail",
    "priority": -5,
    "delay": HOUR,
    "expires": 2 * HOUR,
    "timeout": 1.5,
    "max_attempts": 7,
    "key": "report",
    "executor": "process",
    "tags": ("nightly", "später"),
    "meta": {"customer": 7, "nested": {"list": [1, None, "x"]}},
    "arguments": "(1, two='zwei')",
}


async def test_list_tells_what_was_enqueued(backend: Backend) -> None:
    task = make_task(**RICH)
    await backend.enqueue([task])

    info = await look_up(backend, task.id)

    told = {name: getattr(info, name) for name in RICH if name not in ("delay", "expires")}
    assert told == {name: value for name, value in RICH.items() if name in told}


async def test_list_tells_the_moments_of_a_task_in_utc(backend: Backend) -> None:
    task = make_task(**RICH)
    await backend.enqueue([task])

    info = await look_up(backend, task.id)

    assert info.expires_at is not None
    assert info.due_at - info.enqueued_at == timedelta(hours=1)
    assert info.expires_at - info.enqueued_at == timedelta(hours=2)
    assert info.enqueued_at.utcoffset() == info.due_at.utcoffset() == timedelta(0)


async def test_list_tells_nothing_that_was_not_given(backend: Backend) -> None:
    task = Task(id="plain", name="plain", payload=b"")
    await backend.enqueue([task])

    info = await look_up(backend, "plain")

    assert info == TaskInfo(
        id="plain",
        name="plain",
        queue="default",
        status=TaskStatus.PENDING,
        priority=0,
        attempt=0,
        max_attempts=1,
        failures=0,
        crashes=0,
        enqueued_at=info.enqueued_at,
        due_at=info.due_at,
    )


async def test_list_tells_the_error_of_a_failed_task(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    await backend.finish([failure(claim)])

    info = await look_up(backend, claim.id)

    assert (info.error, info.worker, info.attempt) == ("ValueError: no", worker.id, 1)
    assert info.started_at is not None
    assert info.finished_at is not None
    assert info.started_at <= info.finished_at


async def test_page_after_a_task_that_was_deleted_goes_on_where_it_was(backend: Backend) -> None:
    ids = await backend.enqueue([make_task() for _ in range(5)])
    await backend.delete([ids[2]])

    page = await backend.list_tasks(TaskQuery(before=ids[2]))

    assert [info.id for info in page] == [ids[1], ids[0]]
