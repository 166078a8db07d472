"""A store's schema is made once, by whoever comes first, and opening it again changes nothing."""

import sqlite3
import time
from pathlib import Path

import pytest
from contract.builders import make_task
from processes import Programs

from sitq.backends.sqlite import SQLiteBackend
from sitq.backends.sqlite.schema import APPLICATION_ID, MIGRATIONS, SCHEMA_VERSION
from sitq.exceptions import BackendError

OPENER = Path(__file__).parent / "programs" / "open_once.py"


async def open_and_close(path: Path, *, create: bool = True) -> None:
    async with SQLiteBackend(path, create=create) as backend:
        await backend.stats()


def header(path: Path) -> tuple[int, int]:
    db = sqlite3.connect(path)
    names = ("application_id", "user_version")
    application, version = (db.execute(f"pragma {name}").fetchone()[0] for name in names)
    db.close()
    return application, version


def schema_of(path: Path) -> list[str]:
    db = sqlite3.connect(path)
    rows = db.execute("select sql from sqlite_master where sql is not null order by name").fetchall()
    db.close()
    return [sql for (sql,) in rows]


async def test_new_file_says_whose_it_is_and_of_which_version(path: Path) -> None:
    await open_and_close(path)

    assert header(path) == (APPLICATION_ID, SCHEMA_VERSION) == (APPLICATION_ID, len(MIGRATIONS))


async def test_empty_file_gets_the_schema_of_a_new_one(path: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.db"
    empty.touch()

    await open_and_close(empty)
    await open_and_close(path)

    assert schema_of(empty) == schema_of(path)
    assert header(empty) == header(path)


async def test_empty_database_with_a_header_becomes_a_store(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("pragma journal_mode = wal")
    db.close()

    await open_and_close(path)

    assert header(path) == (APPLICATION_ID, SCHEMA_VERSION)


@pytest.mark.parametrize("create", [True, False])
async def test_opening_again_changes_no_byte(path: Path, create: bool) -> None:
    async with SQLiteBackend(path) as backend:
        await backend.enqueue([make_task()])
    before = path.read_bytes()

    for _ in range(3):
        await open_and_close(path, create=create)

    assert path.read_bytes() == before


async def test_migration_that_fails_leaves_the_file_empty(path: Path) -> None:
    """Another program's transaction keeps the file; what was begun is undone and can be done later."""
    path.touch()
    owner = sqlite3.connect(path, isolation_level=None)
    owner.execute("begin exclusive")

    with pytest.raises(BackendError, match="locked"):
        async with SQLiteBackend(path, lock_timeout=0.2):
            pass
    owner.close()

    assert header(path) == (0, 0)
    await open_and_close(path)


@pytest.mark.parametrize("empty", [False, True])
def test_processes_that_come_at_once_make_the_schema_once(path: Path, programs: Programs, empty: bool) -> None:
    if empty:
        path.touch()
    moment = time.time() + 0.8
    openers = [programs.start(str(OPENER), path, moment) for _ in range(4)]

    assert [opener.wait() for opener in openers] == [0] * 4
    assert [opener.err for opener in openers] == [""] * 4
    db = sqlite3.connect(path)
    assert db.execute("select count(*) from task").fetchone() == (4,)
    assert db.execute("select count(*) from meta").fetchone() == (1,)
    db.close()


async def test_backend_that_may_not_create_finds_the_store_that_another_made(path: Path) -> None:
    monitor = SQLiteBackend(path, create=False)
    with pytest.raises(ConnectionError):
        await monitor.connect()

    async with SQLiteBackend(path) as backend:
        await backend.enqueue([make_task(id="a")])
        async with monitor:
            assert set(await monitor.results(["a"])) == {"a"}
