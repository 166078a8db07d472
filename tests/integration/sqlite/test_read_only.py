"""A store that is opened for reading only: everything can be seen, nothing can be changed."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from contract.builders import make_task

from sitq import Inspector
from sitq.backends.sqlite import SQLiteBackend
from sitq.exceptions import BackendError, ConnectionError, ValidationError
from sitq.views import TaskQuery


async def test_reader_sees_what_others_write(backend: SQLiteBackend, path: Path) -> None:
    async with SQLiteBackend(path, read_only=True) as reader:
        (task_id,) = await backend.enqueue([make_task()])
        await reader.wait((), timeout=5.0)

        assert [info.id for info in await reader.list_tasks(TaskQuery())] == [task_id]
        assert (await reader.stats()).queues[0].pending == 1


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [("enqueue", ([make_task()],)), ("cancel", (["x"],)), ("delete", (["x"],)), ("set_paused", ("default", True))],
)
async def test_verbs_that_change_are_refused(
    backend: SQLiteBackend, path: Path, verb: str, arguments: tuple[Any, ...]
) -> None:
    async with SQLiteBackend(path, read_only=True) as reader:
        with pytest.raises(BackendError, match="open for reading only"):
            await getattr(reader, verb)(*arguments)


async def test_reading_alone_leaves_the_file_as_it_is(path: Path) -> None:
    async with SQLiteBackend(path) as backend:
        await backend.enqueue([make_task()])
    before = path.read_bytes()

    async with Inspector(path, read_only=True) as inspector:
        assert len(await inspector.list_tasks()) == 1

    assert path.read_bytes() == before


async def test_missing_file_is_not_made(path: Path) -> None:
    with pytest.raises(ConnectionError, match="does not exist"):
        await SQLiteBackend(path, read_only=True).connect()

    assert not path.exists()


async def test_twin_of_a_reader_reads_only(backend: SQLiteBackend, path: Path) -> None:
    async with SQLiteBackend(path, read_only=True).twin() as twin:
        with pytest.raises(BackendError, match="open for reading only"):
            await twin.enqueue([make_task()])


async def test_naive_moment_of_a_query_is_refused(backend: SQLiteBackend, path: Path) -> None:
    async with Inspector(path, read_only=True) as inspector:
        with pytest.raises(ValidationError, match="since must be timezone-aware"):
            await inspector.list_tasks(TaskQuery(since=datetime(2026, 1, 1)))
