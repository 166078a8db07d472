"""A loop that is busy in short slices keeps the GIL from the database thread; the store takes care that it gets it.

Without that care a call took seconds; the limits here are generous, as the machine may be shared.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from contract.builders import make_task

from sitq.backends.sqlite import SQLiteBackend
from sitq.core import TaskQuery

LIMIT = 0.5


@pytest.fixture
async def busy_loop() -> AsyncIterator[None]:
    """Keep the loop busy in slices of 0.5 ms."""

    async def work() -> None:
        while True:
            end = time.perf_counter() + 0.0005
            while time.perf_counter() < end:
                pass
            await asyncio.sleep(0)

    working = asyncio.create_task(work())
    yield
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


async def slowest_of(count: int, call: Callable[[], Awaitable[object]]) -> float:
    durations = []
    for _ in range(count):
        started = time.monotonic()
        await call()
        durations.append(time.monotonic() - started)
    return max(durations)


@pytest.mark.usefixtures("busy_loop")
async def test_reads_are_not_starved_by_a_busy_loop(backend: SQLiteBackend) -> None:
    await backend.enqueue([make_task() for _ in range(100)])

    assert await slowest_of(10, backend.stats) < LIMIT
    assert await slowest_of(10, lambda: backend.list_tasks(TaskQuery(limit=10))) < LIMIT


@pytest.mark.usefixtures("busy_loop")
@pytest.mark.parametrize("rows", [1, 100])
async def test_writes_are_not_starved_by_a_busy_loop(backend: SQLiteBackend, rows: int) -> None:
    assert await slowest_of(10, lambda: backend.enqueue([make_task() for _ in range(rows)])) < LIMIT


@pytest.mark.usefixtures("busy_loop")
async def test_store_is_opened_under_a_busy_loop(backend: SQLiteBackend) -> None:
    twin = backend.twin()

    started = time.monotonic()
    async with twin:
        await twin.stats()

    assert time.monotonic() - started < 4 * LIMIT
