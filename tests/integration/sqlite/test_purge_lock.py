"""A purge with nothing to do takes no lock, and waits for nobody's."""

import asyncio
import sqlite3

import pytest
from contract.builders import HOUR, claim_all, make_task, register, success

from sitq.backends.sqlite import SQLiteBackend


async def finish_one(backend: SQLiteBackend, retention: float) -> None:
    await backend.enqueue([make_task(retention=retention)])
    (claim,) = await claim_all(backend, await register(backend))
    await backend.finish([success(claim)])


@pytest.mark.parametrize("older_than", [None, HOUR])
async def test_purge_that_finds_nothing_waits_for_no_lock(
    backend: SQLiteBackend, outsider: sqlite3.Connection, older_than: float | None
) -> None:
    await finish_one(backend, HOUR)
    outsider.execute("begin immediate")

    assert await asyncio.wait_for(backend.purge(older_than=older_than), timeout=1.0) == 0


async def test_purge_that_finds_something_waits_for_the_lock(
    backend: SQLiteBackend, outsider: sqlite3.Connection
) -> None:
    await finish_one(backend, 0.0)
    outsider.execute("begin immediate")
    purge = asyncio.ensure_future(backend.purge())
    await asyncio.wait({purge}, timeout=0.1)
    assert not purge.done()

    outsider.execute("commit")

    assert await purge == 1
