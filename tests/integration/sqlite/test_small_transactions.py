"""A small transaction of a lone caller runs on the loop's own thread, but never where that could hold the loop up."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from contract.builders import make_task

from sitq.backends.sqlite import SQLiteBackend, tasks
from sitq.backends.sqlite.connection import Connection
from sitq.backends.sqlite.files import store_file
from sitq.backends.sqlite.writer import Transaction, Writer

MEBIBYTE = 1024 * 1024


def where(transaction: Transaction, requests: Sequence[Any]) -> list[int]:
    """A verb that writes something and tells which thread ran it."""
    transaction.begin()
    transaction.execute("insert or ignore into paused values ('mail')")
    return [threading.get_ident()] * len(requests)


async def runs_here(writer: Writer, *, rows: int = 1) -> bool:
    return bool(await writer.do(where, None, rows=rows) == threading.get_ident())


def wal_size(path: Path) -> int:
    return Path(f"{path}-wal").stat().st_size


async def longest_pause_during(call: asyncio.Task[Any]) -> float:
    """Tell how long the loop stood still at most while a call was under way."""
    longest, last = 0.0, time.monotonic()
    while not call.done():
        await asyncio.sleep(0.002)
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    return longest


@pytest.mark.parametrize(("rows", "here"), [(1, True), (4, True), (5, False), (1000, False)])
async def test_only_a_few_rows_are_written_on_the_loops_thread(writer: Writer, rows: int, here: bool) -> None:
    assert await runs_here(writer, rows=rows) is here


async def test_every_sixty_fifth_call_goes_through_the_database_thread(writer: Writer) -> None:
    places = [await runs_here(writer) for _ in range(130)]

    assert [place for place, here in enumerate(places) if not here] == [64, 129]


async def test_nothing_is_written_on_the_loops_thread_while_the_other_is_at_work(
    writer: Writer, connection: Connection
) -> None:
    working = asyncio.create_task(connection.call(lambda raw: time.sleep(0.1)))
    await asyncio.sleep(0.02)

    assert not await runs_here(writer)
    await working


async def test_full_durability_never_writes_on_the_loops_thread(path: Path) -> None:
    file = store_file(str(path))
    file.prepare(create=True)
    connection = Connection(file, durability="full", lock_timeout=5.0)
    await connection.open(create=True)
    writer = Writer(connection, lambda wakes, due: None)

    places = [await runs_here(writer) for _ in range(10)]

    await connection.close()
    assert not any(places)


async def test_lock_of_another_program_is_waited_for_on_the_database_thread(
    writer: Writer, outsider: sqlite3.Connection
) -> None:
    before = await runs_here(writer)
    outsider.execute("begin immediate")
    asyncio.get_running_loop().call_later(0.5, outsider.execute, "commit")

    call = asyncio.create_task(runs_here(writer))

    assert await longest_pause_during(call) < 0.2
    assert (before, call.result()) == (True, False)


async def test_loops_thread_is_used_again_once_the_lock_is_free(writer: Writer, outsider: sqlite3.Connection) -> None:
    outsider.execute("begin immediate")
    asyncio.get_running_loop().call_later(0.05, outsider.execute, "commit")
    during = await runs_here(writer)

    assert (during, await runs_here(writer)) == (False, True)


async def test_refused_attempt_on_the_loops_thread_leaves_no_trace(
    writer: Writer, outsider: sqlite3.Connection
) -> None:
    task = make_task()
    outsider.execute("begin immediate")
    asyncio.get_running_loop().call_later(0.05, outsider.execute, "commit")

    assert await writer.do(tasks.enqueue, [task], rows=1) == [task.id]
    assert outsider.execute("select n from counter").fetchall() == [(1,)]


async def test_log_of_single_enqueues_does_not_grow_without_end(path: Path, backend: SQLiteBackend) -> None:
    largest = 0
    for number in range(6000):
        await backend.enqueue([make_task(payload=bytes(500))])
        if number % 100 == 0:
            largest = max(largest, wal_size(path))

    assert path.stat().st_size > 2 * MEBIBYTE
    assert largest < 10 * MEBIBYTE


@pytest.mark.slow
async def test_log_of_many_single_enqueues_does_not_grow_without_end(path: Path, backend: SQLiteBackend) -> None:
    for _ in range(20_000):
        await backend.enqueue([make_task(payload=bytes(500))])

    assert wal_size(path) < 10 * MEBIBYTE


async def test_log_does_not_grow_without_end_beside_a_reader_that_polls(path: Path, backend: SQLiteBackend) -> None:
    async def poll() -> None:
        async with SQLiteBackend(path, create=False) as monitor:
            while True:
                await monitor.stats()

    polling = asyncio.create_task(poll())
    for _ in range(2500):
        await backend.enqueue([make_task(payload=bytes(500))])
    for _ in range(50):
        await backend.enqueue([make_task(payload=bytes(500)) for _ in range(50)])
    polling.cancel()
    await asyncio.gather(polling, return_exceptions=True)

    assert wal_size(path) < 20 * MEBIBYTE
