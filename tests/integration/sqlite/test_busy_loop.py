"""A loop that is busy in short slices keeps the GIL from the database thread; the store takes care that it gets it.

Without that care a call took up to 22 s when the two ran on two cores; the limits here are generous, as the machine
may be shared.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress

import pytest
from contract.builders import make_task

from sitq.backends.sqlite import SQLiteBackend, tasks
from sitq.backends.sqlite.connection import Connection
from sitq.backends.sqlite.writer import Writer

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


@pytest.fixture
def one_core() -> Iterator[int]:
    """Keep this thread on one core, and tell which other one there is."""
    if not hasattr(os, "sched_getaffinity") or len(cores := sorted(os.sched_getaffinity(0))) < 2:
        pytest.skip("needs two cores and a say in who runs where")
    os.sched_setaffinity(0, cores[:1])
    yield cores[1]
    os.sched_setaffinity(0, cores)


@pytest.fixture
async def connection_apart(connection: Connection, one_core: int) -> Connection:
    """A connection whose thread runs on another core than the loop: only so does it wait for the GIL in vain."""
    await connection.call(lambda raw: os.sched_setaffinity(0, [one_core]))
    return connection


async def slowest_of(count: int, call: Callable[[], Awaitable[object]]) -> float:
    """Tell the longest of several calls, or that one took too long."""
    durations = []
    for _ in range(count):
        started = time.monotonic()
        with suppress(TimeoutError):
            await asyncio.wait_for(call(), 2 * LIMIT)
        durations.append(time.monotonic() - started)
    return max(durations)


async def test_read_is_not_starved_by_a_busy_loop(connection_apart: Connection, busy_loop: None) -> None:
    def read() -> Awaitable[object]:
        return connection_apart.call(lambda raw: raw.execute("select count(*) from task").fetchone())

    assert await slowest_of(20, read) < LIMIT


@pytest.mark.parametrize("rows", [1, 100])
async def test_write_is_not_starved_by_a_busy_loop(connection_apart: Connection, busy_loop: None, rows: int) -> None:
    writer = Writer(connection_apart, lambda wakes, due: None)

    def write() -> Awaitable[object]:
        return writer.do(tasks.enqueue, [make_task() for _ in range(rows)], rows=rows)

    assert await slowest_of(20, write) < LIMIT


async def test_close_is_not_starved_by_a_busy_loop(connection_apart: Connection, busy_loop: None) -> None:
    started = time.monotonic()

    await connection_apart.close()

    assert time.monotonic() - started < LIMIT


async def test_store_is_opened_and_read_under_a_busy_loop(backend: SQLiteBackend, busy_loop: None) -> None:
    started = time.monotonic()
    twin = backend.twin()

    await twin.connect()
    await twin.stats()

    assert time.monotonic() - started < 4 * LIMIT
    await twin.close()


async def test_cancelled_call_is_not_starved_by_a_busy_loop(connection_apart: Connection, busy_loop: None) -> None:
    durations = []
    for _ in range(20):
        call = asyncio.create_task(connection_apart.call(lambda raw: raw.execute("select 1").fetchone()))
        await asyncio.sleep(0)
        call.cancel()
        started = time.monotonic()
        await asyncio.wait([call])
        durations.append(time.monotonic() - started)

    assert max(durations) < LIMIT
