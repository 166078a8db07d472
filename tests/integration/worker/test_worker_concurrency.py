"""How many tasks run at once: as many as are allowed, and never more."""

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from running import echo, hold, hold_thread, until_begun

from sitq.core import TaskStatus
from sitq.queue import TaskQueue
from sitq.worker import Worker


class Gauge:
    """Counts how many run, and the most that ran at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = 0
        self.most = 0

    def __enter__(self) -> None:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)

    def __exit__(self, *exc_info: object) -> None:
        with self._lock:
            self._now -= 1


gauge = Gauge()


def count_nap(seconds: float) -> None:
    with gauge:
        time.sleep(seconds)


async def count_nap_async(seconds: float) -> None:
    with gauge:
        await asyncio.sleep(seconds)


@pytest.fixture(autouse=True)
def _fresh_gauge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.gauge", Gauge())


@pytest.mark.parametrize("functions", [(count_nap,), (count_nap_async,), (count_nap, count_nap_async)])
@pytest.mark.parametrize("limit", [1, 3])
async def test_no_more_tasks_run_at_once_than_allowed(
    limit: int, functions: tuple[Callable[..., Any], ...], path: Path, queue: TaskQueue
) -> None:
    for function in functions:
        await queue.map(function, [0.0, 0.001, 0.01] * 20)

    await Worker(path, max_concurrency=limit).run_until_empty(timeout=20)

    assert gauge.most == limit


@pytest.mark.parametrize("function", [hold, hold_thread])
async def test_as_many_tasks_run_at_once_as_allowed(
    function: Callable[..., Any], path: Path, queue: TaskQueue, gate: Path
) -> None:
    tasks = await queue.map(function, [gate] * 5)
    async with Worker(path, max_concurrency=5):
        await until_begun(*tasks)
        gate.touch()

        assert [await task for task in tasks] == ["let go"] * 5


async def test_task_beyond_the_limit_stays_pending(path: Path, queue: TaskQueue, gate: Path) -> None:
    first = await queue.enqueue(hold, gate)
    async with Worker(path, max_concurrency=1, grace=0):
        await until_begun(first)
        second = await queue.enqueue(echo, 1)
        await asyncio.sleep(0.1)

        assert await second.status() is TaskStatus.PENDING
        gate.touch()
        assert await second == 1


async def test_blocked_thread_holds_up_nobody_else(queue: TaskQueue, worker: Worker, gate: Path) -> None:
    await until_begun(await queue.enqueue(hold_thread, gate))

    assert await (await queue.enqueue(echo, 1)) == 1
    gate.touch()


async def test_slow_task_does_not_keep_what_was_claimed_ahead_from_others(
    path: Path, queue: TaskQueue, gate: Path
) -> None:
    await queue.map(echo, range(200))
    slow = await queue.options(priority=-1).enqueue(hold, gate)
    rest = await queue.options(priority=-2).map(echo, range(30))
    async with Worker(path, max_concurrency=1, grace=0), Worker(path, max_concurrency=1, grace=0):
        await until_begun(slow)

        assert await asyncio.gather(*(queue.handle(task).result(timeout=3.0) for task in rest)) == list(range(30))
