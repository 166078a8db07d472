"""Stores that earlier versions wrote, kept as SQL: what they hold is there, and workers of today finish it.

Each has what its version could store: ended, pending, scheduled and retried tasks, one whose worker was killed, one in
a paused lane, and since version 2 dependents and a schedule.
"""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sitq.backends.sqlite import SQLiteBackend
from sitq.backends.sqlite.schema import APPLICATION_ID, SCHEMA_VERSION
from sitq.core import Cause, TaskStatus
from sitq.queue import TaskQueue
from sitq.views import TaskInfo
from sitq.worker import Worker

STORES = Path(__file__).parent / "stores"
VERSIONS = range(1, SCHEMA_VERSION + 1)

ENDED = {"success": "success", "long": "success", "printed": "success", "failed": "failed", "cancelled": "cancelled"}
OPEN = dict.fromkeys(("retrying", "pending", "keyed", "big", "scheduled", "paused"), "pending") | {"running": "running"}
KEPT = {"success": 4.0, "long": b"ab" * 2000, "printed": None}
MADE = {"running": None, "pending": 3, "keyed": "ab", "big": 3000, "paused": 12}
SINCE_2 = {"dependent": -7, "after failed": 10}


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest, path: Path) -> int:
    """The version that wrote the store at `path`."""
    db = sqlite3.connect(path)
    db.executescript((STORES / f"version_{request.param}.sql").read_text())
    db.close()
    return int(request.param)


@pytest.fixture
async def queue(path: Path, version: int) -> AsyncIterator[TaskQueue]:
    async with TaskQueue(path, default_result_timeout=10.0) as queue:
        yield queue


async def tasks_by_name(queue: TaskQueue) -> dict[str, TaskInfo]:
    return {info.name: info for info in await queue.list_tasks()}


async def run_all(path: Path, queue: TaskQueue) -> None:
    await queue.resume("video")
    await Worker(path).run_until_empty(timeout=20.0)


async def value_of(queue: TaskQueue, info: TaskInfo) -> Any:
    return await queue.handle(info.id)


def schema_of(path: Path) -> list[Any]:
    db = sqlite3.connect(path)
    rows = db.execute("select sql from sqlite_master where sql is not null order by name").fetchall()
    numbers = [db.execute(f"pragma {name}").fetchone() for name in ("application_id", "user_version")]
    db.close()
    return [*rows, *numbers]


def test_every_version_has_left_a_store() -> None:
    assert {file.name for file in STORES.iterdir()} == {f"version_{version}.sql" for version in VERSIONS}


async def test_store_gets_the_schema_of_a_new_one(path: Path, queue: TaskQueue, tmp_path: Path) -> None:
    async with SQLiteBackend(tmp_path / "new.db"):
        pass

    assert schema_of(path) == schema_of(tmp_path / "new.db")
    assert schema_of(path)[-2:] == [(APPLICATION_ID,), (SCHEMA_VERSION,)]


async def test_all_tasks_are_there(queue: TaskQueue, version: int) -> None:
    tasks = await tasks_by_name(queue)

    expected = ENDED | OPEN | (dict.fromkeys(SINCE_2, "pending") if version > 1 else {})
    assert {name: str(tasks[name].status) for name in expected} == expected
    assert (tasks["success"].tags, tasks["success"].meta) == (("red",), {"of": "mine"})
    assert (tasks["pending"].queue, tasks["pending"].priority) == ("mail", 3)
    assert tasks["keyed"].key == "one"
    assert (tasks["retrying"].attempt, tasks["retrying"].failures) == (1, 1)


async def test_what_is_kept_about_them_is_there(queue: TaskQueue, version: int) -> None:
    tasks = await tasks_by_name(queue)

    assert {name: await value_of(queue, tasks[name]) for name in KEPT} == KEPT
    assert "".join(chunk.text for chunk in await queue.output(tasks["printed"].id)) == "hello\n"
    assert [attempt.cause for attempt in await queue.attempts(tasks["retrying"].id)] == [Cause.ERROR]
    assert "ValueError: " in str(tasks["failed"].error)
    assert [lane.queue for lane in (await queue.stats()).queues if lane.paused] == ["video"]
    assert [schedule.name for schedule in await queue.schedules()] == (["nightly"] if version > 1 else [])


async def test_counts_equal_the_tasks(queue: TaskQueue) -> None:
    stats, tasks = await queue.stats(), await queue.list_tasks()

    assert [stats.count(status) for status in TaskStatus] == [
        sum(info.status is status for info in tasks) for status in TaskStatus
    ]


async def test_a_worker_finishes_what_was_open(path: Path, queue: TaskQueue, version: int) -> None:
    await run_all(path, queue)

    tasks = await tasks_by_name(queue)
    expected = KEPT | MADE | (SINCE_2 if version > 1 else {})
    assert {name: await value_of(queue, tasks[name]) for name in expected} == expected
    assert (tasks["running"].crashes, tasks["running"].attempt) == (1, 2)
    assert tasks["scheduled"].status is tasks["retrying"].status is TaskStatus.PENDING


async def test_what_lay_ahead_can_be_run_now(path: Path, queue: TaskQueue) -> None:
    tasks = await tasks_by_name(queue)
    await queue.run_now([tasks["scheduled"].id, tasks["retrying"].id])
    await queue.requeue([tasks["failed"].id])
    await run_all(path, queue)

    assert await value_of(queue, tasks["scheduled"]) == 3.0
    causes = [attempt.cause for attempt in await queue.attempts(tasks["failed"].id)]
    assert causes == [Cause.ERROR, Cause.ERROR]
