"""wait: a hint that something may have changed; it may come for nothing, but it must not fail to come."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection

import pytest

from contract.builders import HOUR, claim_all, failure, make_task, run_one, success
from sitq.backends.base import Backend
from sitq.core import TaskStatus, WorkerInfo

SOON = 1.5


async def woken_by(backend: Backend, keys: Collection[str], act: Callable[[], Awaitable[object]]) -> bool:
    """Tell whether a wait that had begun before `act` returns soon after it."""
    acting = asyncio.Event()

    async def wait_past_the_act() -> None:
        while not acting.is_set():
            await backend.wait(keys, timeout=30.0)

    waiting = asyncio.create_task(wait_past_the_act())
    await asyncio.sleep(0.05)
    acting.set()
    await act()
    return await ends_soon(waiting)


async def ends_soon(*waiting: asyncio.Task[None]) -> bool:
    """Tell whether all these tasks end by themselves, and end them if not."""
    _, pending = await asyncio.wait(waiting, timeout=SOON)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    return not pending


async def wait_until(backend: Backend, keys: Collection[str], probe: Callable[[], Awaitable[object]]) -> float:
    """Look and wait in turn, as callers do, and tell the seconds until the probe held."""
    started = time.monotonic()
    while not await probe():
        await backend.wait(keys, timeout=5.0)
    return time.monotonic() - started


@pytest.mark.parametrize("keys", [["default"], ["unknown-id"], []])
async def test_wait_returns_when_the_time_is_up(backend: Backend, keys: list[str]) -> None:
    started = time.monotonic()

    await backend.wait(keys, timeout=0.1)

    assert time.monotonic() - started < 0.1 + SOON


async def test_wait_for_no_time_returns_at_once(backend: Backend) -> None:
    started = time.monotonic()

    await backend.wait(["default"], timeout=0)

    assert time.monotonic() - started < SOON


@pytest.mark.parametrize("keys", [["mail"], ["video", "mail"], []])
async def test_wait_is_woken_by_an_enqueue(backend: Backend, keys: list[str]) -> None:
    assert await woken_by(backend, keys, lambda: backend.enqueue([make_task(queue="mail")]))


@pytest.mark.parametrize("keys", [["mail"], ["video", "mail"], []])
async def test_wait_is_woken_by_the_enqueue_of_a_twin(backend: Backend, twin: Backend, keys: list[str]) -> None:
    assert await woken_by(backend, keys, lambda: twin.enqueue([make_task(queue="mail")]))


@pytest.mark.parametrize("end", [success, failure])
async def test_wait_for_a_task_is_woken_by_its_end(backend: Backend, worker: WorkerInfo, end: Callable) -> None:
    claim = await run_one(backend, worker)

    assert await woken_by(backend, [claim.id], lambda: backend.finish([end(claim)]))


async def test_wait_for_a_task_is_woken_by_its_end_at_a_twin(
    backend: Backend, twin: Backend, worker: WorkerInfo
) -> None:
    claim = await run_one(backend, worker)

    assert await woken_by(backend, [claim.id], lambda: twin.finish([success(claim)]))


async def test_wait_for_many_tasks_is_woken_by_one(backend: Backend, worker: WorkerInfo) -> None:
    await backend.enqueue([make_task() for _ in range(100)])
    claims = await claim_all(backend, worker)

    assert await woken_by(backend, [claim.id for claim in claims], lambda: backend.finish([success(claims[70])]))


async def test_wait_for_a_task_is_woken_by_its_cancellation(backend: Backend, twin: Backend) -> None:
    task = make_task(delay=HOUR)
    await backend.enqueue([task])

    assert await woken_by(backend, [task.id], lambda: twin.cancel([task.id]))


async def test_wait_for_a_lane_is_woken_by_a_requeue(backend: Backend, twin: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker, queue="mail")
    await backend.finish([failure(claim)])

    assert await woken_by(backend, ["mail"], lambda: twin.requeue([claim.id]))


async def test_wait_for_a_lane_is_woken_when_it_is_resumed(backend: Backend, twin: Backend) -> None:
    await backend.enqueue([make_task(queue="mail")])
    await backend.set_paused("mail", True)

    assert await woken_by(backend, ["mail"], lambda: twin.set_paused("mail", False))


async def test_wait_for_a_lane_returns_when_a_task_becomes_due(backend: Backend, worker: WorkerInfo) -> None:
    await backend.enqueue([make_task(queue="mail", delay=0.3)])

    seconds = await wait_until(backend, ["mail"], lambda: claim_all(backend, worker, ["mail"]))

    assert seconds < 0.3 + SOON


async def test_all_who_wait_for_a_lane_return_when_a_task_becomes_due(backend: Backend) -> None:
    await backend.enqueue([make_task(queue="mail", delay=0.2)])

    waiting = [asyncio.create_task(backend.wait(["mail"], timeout=30.0)) for _ in range(3)]

    assert await ends_soon(*waiting)


async def test_wait_for_a_lane_returns_when_a_task_of_a_twin_becomes_due(
    backend: Backend, twin: Backend, worker: WorkerInfo
) -> None:
    await twin.enqueue([make_task(queue="mail", delay=0.3)])

    seconds = await wait_until(backend, ["mail"], lambda: claim_all(backend, worker, ["mail"]))

    assert seconds < 0.3 + SOON


async def test_wait_sees_a_nearer_task_that_came_after_it_began(backend: Backend, worker: WorkerInfo) -> None:
    await backend.enqueue([make_task(queue="mail", delay=HOUR)])
    waiting = asyncio.create_task(wait_until(backend, ["mail"], lambda: claim_all(backend, worker, ["mail"])))
    await asyncio.sleep(0.05)

    await backend.enqueue([make_task(queue="mail", delay=0.2)])

    assert await waiting < 0.3 + SOON


async def test_change_between_look_and_wait_is_not_missed(backend: Backend, worker: WorkerInfo) -> None:
    """The caller looked, something changed, and only then it waits."""
    claim = await run_one(backend, worker)

    async def has_ended() -> bool:
        ended = (await backend.results([claim.id]))[claim.id].status is TaskStatus.SUCCESS
        await backend.finish([success(claim)])
        return ended

    assert await wait_until(backend, [claim.id], has_ended) < 2 * SOON


async def test_wait_for_a_lane_with_due_tasks_returns_soon(backend: Backend) -> None:
    await backend.enqueue([make_task(queue="mail")])

    assert await ends_soon(asyncio.create_task(backend.wait(["mail"], timeout=30.0)))


async def test_many_waits_at_once_are_all_woken(backend: Backend) -> None:
    waits = [asyncio.create_task(backend.wait(["mail"], timeout=30.0)) for _ in range(50)]
    await asyncio.sleep(0.05)

    await backend.enqueue([make_task(queue="mail")])

    assert await ends_soon(*waits)


async def test_wait_can_be_cancelled(backend: Backend, worker: WorkerInfo) -> None:
    async def wait_for_ever() -> None:
        while True:
            await backend.wait(["mail"], timeout=30.0)

    waiting = asyncio.create_task(wait_for_ever())
    await asyncio.sleep(0.05)

    waiting.cancel()

    assert await ends_soon(waiting)
    assert waiting.cancelled()
    assert (await run_one(backend, worker)).attempt == 1


async def test_wait_does_not_hold_up_acting_verbs(backend: Backend) -> None:
    waits = [asyncio.create_task(backend.wait(["nothing"], timeout=0.5)) for _ in range(20)]
    await asyncio.sleep(0.05)

    acting = asyncio.create_task(backend.enqueue([make_task()]))

    await asyncio.wait([acting], timeout=0.3)
    assert acting.done()
    await asyncio.gather(*waits)


async def test_close_does_not_wait_for_waits(backend: Backend) -> None:
    waiting = asyncio.create_task(backend.wait(["mail"], timeout=30.0))
    await asyncio.sleep(0.05)

    closing = asyncio.create_task(backend.close())

    assert await ends_soon(closing)
    assert await ends_soon(waiting)
