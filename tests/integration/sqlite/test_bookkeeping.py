"""Counts equal what the table of tasks holds, and nothing of a task outlives it: read from the tables themselves."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from contract.builders import (
    claim_all,
    failure,
    make_dead_worker,
    make_task,
    make_worker,
    register,
    retry,
    run_one,
    success,
)
from contract.test_stats import RandomUser

from sitq.backends.sqlite import SQLiteBackend
from sitq.backends.sqlite.schema import INLINE_LIMIT
from sitq.core import OnConflict

LONG = bytes(INLINE_LIMIT + 1)


def counted(outsider: sqlite3.Connection) -> dict[tuple[str, int], int]:
    rows = outsider.execute("select queue, state, n from counter where n <> 0")
    return {(queue, state): n for queue, state, n in rows}


def recounted(outsider: sqlite3.Connection) -> dict[tuple[str, int], int]:
    rows = outsider.execute("select queue, state, count(*) from task group by queue, state")
    return {(queue, state): n for queue, state, n in rows}


def blobs(outsider: sqlite3.Connection) -> list[tuple[str, int, int]]:
    """Tell the task, kind and length of all that lies in the table of blobs."""
    statement = "select task.id, kind, length(data) from blob left join task on task.seq = blob.task order by id, kind"
    return outsider.execute(statement).fetchall()


@pytest.mark.parametrize("seed", [11, 12, 13])
async def test_counts_equal_a_recount_after_two_users_worked_at_once(
    backend: SQLiteBackend, outsider: sqlite3.Connection, seed: int
) -> None:
    async with backend.twin() as twin:
        first, second = [
            RandomUser(store, await register(store), await register(store), seed + place)
            for place, store in enumerate((backend, twin))
        ]
        second.ids = first.ids
        for _ in range(250):
            await asyncio.gather(first.act(), second.act())

    assert recounted(outsider)
    assert counted(outsider) == recounted(outsider)


async def test_counts_equal_a_recount_after_a_crash(backend: SQLiteBackend, outsider: sqlite3.Connection) -> None:
    dead, heir = await register(backend, make_dead_worker()), await register(backend)
    await backend.enqueue([make_task(queue=f"lane-{number % 3}") for number in range(60)])
    held = await claim_all(backend, dead)
    await backend.cancel([claim.id for claim in held[:20]])

    await backend.claim(heir.id, ["lane-1"], limit=5, lease=30.0)

    assert counted(outsider) == recounted(outsider)
    assert sum(counted(outsider).values()) == 60


async def test_counts_equal_a_recount_after_a_task_was_replaced(
    backend: SQLiteBackend, outsider: sqlite3.Connection
) -> None:
    for queue in ("mail", "video", "mail"):
        await backend.enqueue([make_task(key="a", queue=queue, on_conflict=OnConflict.REPLACE)])

    assert counted(outsider) == recounted(outsider) == {("mail", 5): 1, ("mail", 1): 1, ("video", 5): 1}


async def test_counts_equal_a_recount_after_tasks_expired_and_were_parked(
    backend: SQLiteBackend, outsider: sqlite3.Connection
) -> None:
    worker = await register(backend)
    await backend.enqueue([make_task(expires=0.0), make_task(python="2.7"), make_task()])
    await asyncio.sleep(0.01)

    await claim_all(backend, worker)

    assert counted(outsider) == recounted(outsider) == {("default", 5): 1, ("default", -2): 1, ("default", 2): 1}


async def test_counts_equal_a_recount_after_a_purge(backend: SQLiteBackend, outsider: sqlite3.Connection) -> None:
    worker = await register(backend)
    await backend.enqueue([make_task(retention=0.0) for _ in range(30)])
    await backend.finish([success(claim) for claim in await claim_all(backend, worker)])

    removed = await backend.purge(limit=12)

    assert removed == 12
    assert counted(outsider) == recounted(outsider) == {("default", 3): 18}


async def test_counts_equal_a_recount_after_a_batch_was_refused(
    backend: SQLiteBackend, outsider: sqlite3.Connection
) -> None:
    await backend.enqueue([make_task(id="old", key="a")])
    batches: list[list[Any]] = [
        [make_task(), make_task(id="old")],
        [make_task(), make_task(key="a", on_conflict=OnConflict.RAISE)],
        [make_task(), make_task()],
    ]

    await asyncio.gather(*(backend.enqueue(batch) for batch in batches), return_exceptions=True)

    assert counted(outsider) == recounted(outsider) == {("default", 1): 4}


@pytest.mark.parametrize(("size", "apart"), [(0, False), (INLINE_LIMIT, False), (INLINE_LIMIT + 1, True)])
async def test_long_payloads_lie_apart_from_their_task(
    backend: SQLiteBackend, outsider: sqlite3.Connection, size: int, apart: bool
) -> None:
    await backend.enqueue([make_task(id="a", payload=bytes(size))])

    assert blobs(outsider) == ([("a", 0, size)] if apart else [])
    (claim,) = await claim_all(backend, await register(backend))
    assert claim.payload == bytes(size)


@pytest.mark.parametrize(("size", "apart"), [(0, False), (INLINE_LIMIT, False), (INLINE_LIMIT + 1, True)])
async def test_long_values_lie_apart_from_their_task(
    backend: SQLiteBackend, outsider: sqlite3.Connection, size: int, apart: bool
) -> None:
    claim = await run_one(backend, await register(backend))

    await backend.finish([success(claim, bytes(size))])

    assert blobs(outsider) == ([(claim.id, 1, size)] if apart else [])
    assert (await backend.results([claim.id]))[claim.id].value == bytes(size)


async def test_refused_outcome_leaves_no_value(backend: SQLiteBackend, outsider: sqlite3.Connection) -> None:
    claim = await run_one(backend, await register(backend))

    await backend.finish([success(claim, LONG)._replace(attempt=7)])

    assert blobs(outsider) == []


async def fill_with_traces(backend: SQLiteBackend) -> list[str]:
    """Finish tasks that leave a payload, a value and a history."""
    worker = await register(backend)
    await backend.enqueue([make_task(payload=LONG, retention=0.0) for _ in range(10)])
    await backend.finish([retry(claim) for claim in await claim_all(backend, worker)])
    claims = await claim_all(backend, worker)
    await backend.finish([success(claim, LONG) for claim in claims])
    return [claim.id for claim in claims]


@pytest.mark.parametrize("verb", ["delete", "purge"])
async def test_traces_of_a_task_leave_with_it(backend: SQLiteBackend, outsider: sqlite3.Connection, verb: str) -> None:
    ids = await fill_with_traces(backend)
    assert len(blobs(outsider)) == 20

    await (backend.delete(ids) if verb == "delete" else backend.purge())

    for table in ("task", "blob", "attempt", "output"):
        assert outsider.execute(f"select count(*) from {table}").fetchone() == (0,)


async def test_traces_of_other_tasks_stay(backend: SQLiteBackend, outsider: sqlite3.Connection) -> None:
    ids = await fill_with_traces(backend)

    await backend.delete(ids[:4])

    assert {task_id for task_id, _, _ in blobs(outsider)} == set(ids[4:])
    assert outsider.execute("select count(*) from attempt").fetchone() == (6,)


async def test_requeued_task_keeps_its_payload_and_loses_its_value(
    backend: SQLiteBackend, outsider: sqlite3.Connection
) -> None:
    claim = await run_one(backend, await register(backend), payload=LONG)
    await backend.finish([failure(claim)._replace(value=LONG)])
    assert (claim.id, 1, len(LONG)) in blobs(outsider)

    await backend.requeue([claim.id])

    assert blobs(outsider) == [(claim.id, 0, len(LONG))]


async def test_file_is_sound_after_two_users_worked_at_once(path: Path, outsider: sqlite3.Connection) -> None:
    async with SQLiteBackend(path) as backend, backend.twin() as twin:
        users = [
            RandomUser(store, await register(store, make_worker()), await register(store), 99)
            for store in (backend, twin)
        ]
        for _ in range(100):
            await asyncio.gather(*(user.act() for user in users))

    assert outsider.execute("pragma integrity_check").fetchall() == [("ok",)]
