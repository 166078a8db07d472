"""list_tasks: orders, moments, tags and text, each with its pages."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contract.builders import claim_all, failure, look_up, make_task, success
from sitq.backends.base import Backend
from sitq.core import TaskStatus, WorkerInfo
from sitq.views import Order, TaskQuery

DAY = timedelta(days=1)


async def pages(backend: Backend, **conditions: Any) -> list[str]:
    """Read all pages of two, and give back their ids."""
    seen: list[str] = []
    while page := await backend.list_tasks(TaskQuery(limit=2, before=seen[-1] if seen else None, **conditions)):
        seen += [info.id for info in page]
    return seen


async def enqueue_apart(backend: Backend, count: int) -> list[str]:
    """Enqueue tasks at moments of their own."""
    ids = []
    for _ in range(count):
        ids += await backend.enqueue([make_task()])
        await asyncio.sleep(0.002)
    return ids


async def moment_of(backend: Backend, task_id: str) -> datetime:
    return (await look_up(backend, task_id)).enqueued_at


async def test_oldest_first_pages_cover_everything_once(backend: Backend) -> None:
    ids = await backend.enqueue([make_task() for _ in range(7)])

    assert await pages(backend, order=Order.OLDEST) == ids


async def test_oldest_first_goes_on_after_a_task_that_was_deleted(backend: Backend) -> None:
    ids = await backend.enqueue([make_task() for _ in range(4)])
    await backend.delete([ids[1]])

    page = await backend.list_tasks(TaskQuery(order=Order.OLDEST, before=ids[1]))

    assert [info.id for info in page] == ids[2:]


async def test_oldest_first_after_the_newest_is_empty(backend: Backend) -> None:
    await backend.enqueue([make_task()])

    assert await backend.list_tasks(TaskQuery(order=Order.OLDEST, before="f" * 28)) == []


async def test_ended_lists_what_ended_last_first(backend: Backend, worker: WorkerInfo) -> None:
    await backend.enqueue([make_task() for _ in range(6)])
    claims = await claim_all(backend, worker)
    for place in (3, 0, 4, 1, 2):
        await backend.finish([failure(claims[place]) if place % 2 else success(claims[place])])
        await asyncio.sleep(0.002)

    assert await pages(backend, order=Order.ENDED) == [claims[place].id for place in (2, 1, 4, 0, 3)]
    failed = await pages(backend, order=Order.ENDED, statuses=(TaskStatus.FAILED,))
    assert failed == [claims[1].id, claims[3].id]


@pytest.mark.parametrize("order", [Order.NEWEST, Order.OLDEST])
async def test_since_and_until_bound_the_moment_of_arrival(backend: Backend, order: Order) -> None:
    ids = await enqueue_apart(backend, 6)
    since, until = await moment_of(backend, ids[1]), await moment_of(backend, ids[4])

    wanted = ids[1:5] if order is Order.OLDEST else ids[4:0:-1]
    assert await pages(backend, since=since, until=until, order=order) == wanted


async def test_since_holds_for_tasks_that_ended(backend: Backend, worker: WorkerInfo) -> None:
    ids = await enqueue_apart(backend, 3)
    await backend.finish([success(claim) for claim in await claim_all(backend, worker)])

    assert await pages(backend, since=await moment_of(backend, ids[2]), order=Order.ENDED) == [ids[2]]


@pytest.mark.parametrize("prefix", ["0", "g", "zz"])
async def test_moments_hold_for_ids_that_tell_no_time(backend: Backend, prefix: str) -> None:
    ids = [f"{prefix}-{number}" for number in (3, 1, 2, 0)]
    for task_id in ids:
        await backend.enqueue([make_task(id=task_id)])
        await asyncio.sleep(0.002)
    since, until = await moment_of(backend, ids[1]), await moment_of(backend, ids[2])

    assert await pages(backend, since=since, until=until) == [ids[2], ids[1]]


async def test_moments_outside_find_nothing(backend: Backend) -> None:
    await backend.enqueue([make_task()])

    assert await pages(backend, since=datetime.now(UTC) + DAY) == []
    assert await pages(backend, until=datetime.now(UTC) - DAY) == []


async def test_tag_is_matched_whole(backend: Backend) -> None:
    tasks = [make_task(tags=tags) for tags in (("nightly", "eu"), ("night",), (), ("später", "nightly"))]
    ids = await backend.enqueue(tasks)

    assert await pages(backend, tag="nightly") == [ids[3], ids[0]]
    assert await pages(backend, tag="später") == [ids[3]]
    assert await pages(backend, tag="night%") == []


@pytest.mark.parametrize(
    ("conditions", "wanted"),
    [
        ({"except_queues": ("mail",)}, ["b[1]", "c"]),
        ({"except_queues": ("mail", "gpu")}, ["c"]),
        ({"except_names": ("b*",)}, ["a?", "ax", "c"]),
        ({"except_names": ("a?", "b[1]")}, ["ax", "c"]),
        ({"except_names": ("*",)}, []),
        ({"except_queues": ("unknown",), "except_names": ("c", "ax")}, ["a?", "b[1]"]),
        ({"queue": "mail", "except_names": ("ax",)}, ["a?"]),
        ({"statuses": (TaskStatus.PENDING,), "except_queues": ("default", "gpu")}, ["a?", "ax"]),
    ],
)
async def test_what_is_excepted_is_left_out(backend: Backend, conditions: dict[str, Any], wanted: list[str]) -> None:
    tasks = [("a?", "mail"), ("ax", "mail"), ("b[1]", "gpu"), ("c", "default")]
    await backend.enqueue([make_task(name=name, queue=queue) for name, queue in tasks])

    found = await backend.list_tasks(TaskQuery(order=Order.OLDEST, **conditions))

    assert [info.name for info in found] == wanted
    assert len(await pages(backend, **conditions)) == len(wanted)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("SEND", [0]), ("ap@ex", [1]), ("k-7", [2]), ("50%", [3]), ("5_%", []), ("\\", [4]), ("'", [5])],
)
async def test_text_is_found_in_what_people_see(backend: Backend, text: str, wanted: list[int]) -> None:
    facts: list[dict[str, Any]] = [
        {"name": "send_mail"},
        {"arguments": "to='AP@example.net'", "name": "x"},
        {"key": "k-7"},
        {"name": "50% off"},
        {"name": "a\\b"},
        {"name": "it's"},
    ]
    ids = await backend.enqueue([make_task(**fact) for fact in facts])

    assert set(await pages(backend, text=text)) >= {ids[place] for place in wanted}
    assert len(await pages(backend, text=text)) == len(wanted) + (text == "'")


async def test_text_is_found_in_errors_and_ids(backend: Backend, worker: WorkerInfo) -> None:
    (task_id,) = await backend.enqueue([make_task()])
    await backend.finish([failure(claim) for claim in await claim_all(backend, worker)])

    assert await pages(backend, text="valueerror: no") == [task_id]
    assert await pages(backend, text=task_id[-8:]) == [task_id]


async def test_few_pending_tasks_are_found_among_many(backend: Backend, worker: WorkerInfo) -> None:
    waiting = make_task(priority=-1, delay=3600.0)
    await backend.enqueue([waiting, *(make_task() for _ in range(300))])
    await backend.finish([success(claim) for claim in await claim_all(backend, worker)])
    later = make_task()
    await backend.enqueue([later])

    assert await pages(backend, statuses=(TaskStatus.PENDING,)) == [later.id, waiting.id]
    assert await pages(backend, statuses=(TaskStatus.PENDING,), order=Order.OLDEST) == [waiting.id, later.id]
