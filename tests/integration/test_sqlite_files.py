"""Where a SQLite store may lie, who may read it, and which files are refused and left as they are."""

import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from contract.builders import make_task

from sitq.backends.sqlite import SQLiteBackend
from sitq.exceptions import BackendError, ConnectionError, SitqError

NOBODY = 65534


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose permissions bind: root, whom none bind, becomes nobody for the test."""
    made = Path(tempfile.mkdtemp(prefix="sitq-"))
    is_root = os.geteuid() == 0
    if is_root:
        os.chown(made, NOBODY, NOBODY)
        os.seteuid(NOBODY)
    yield made
    if is_root:
        os.seteuid(0)
    made.chmod(0o700)
    shutil.rmtree(made)


@pytest.fixture
def foreign_database(path: Path) -> Path:
    """A SQLite database of another program, with a rollback journal."""
    with sqlite3.connect(path) as db:
        db.execute("create table song(title text)")
        db.execute("insert into song values ('Ode')")
    db.close()
    return path


async def make_store(path: Path, *, tasks: int = 1) -> None:
    async with SQLiteBackend(path) as backend:
        await backend.enqueue([make_task(payload=b"x" * 500) for _ in range(tasks)])


async def refusal(path: Path, *, create: bool = True) -> SitqError:
    """Open a store that cannot be opened, and give back what was said: one line that names the path."""
    with pytest.raises(BackendError) as caught:
        async with SQLiteBackend(path, create=create) as backend:
            await backend.stats()
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return caught.value


async def refusal_naming(path: Path, named: Path) -> SitqError:
    with pytest.raises(BackendError) as caught:
        await SQLiteBackend(path).connect()
    assert "\n" not in str(caught.value)
    assert str(named) in str(caught.value)
    return caught.value


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def neighbours(path: Path) -> set[str]:
    return {found.name for found in path.parent.iterdir()}


async def test_new_files_are_readable_by_their_owner_alone(path: Path) -> None:
    umask = os.umask(0)
    try:
        async with SQLiteBackend(path) as backend:
            await backend.enqueue([make_task(id="a")])
            await backend.stats()
            modes = {found.name: mode_of(found) for found in path.parent.iterdir()}
    finally:
        os.umask(umask)

    assert modes == {"tasks.db": 0o600, "tasks.db-wal": 0o600, "tasks.db-shm": 0o600}


async def test_close_leaves_one_file(path: Path) -> None:
    await make_store(path)

    assert neighbours(path) == {"tasks.db"}


@pytest.mark.parametrize(
    "name", ["with space.db", "100%.db", "a?mode=ro.db", "a#b.db", "größe.db", "it's.db", "%41.db", "a&b=c.db", ":.db"]
)
async def test_file_may_have_any_name(tmp_path: Path, name: str) -> None:
    await make_store(tmp_path / name)

    assert [found.name for found in tmp_path.iterdir()] == [name]


async def test_path_is_resolved_when_the_store_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with SQLiteBackend("tasks.db") as backend:
        monkeypatch.chdir("/")
        await backend.enqueue([make_task(id="a")])
        await backend.stats()

    assert neighbours(tmp_path / "tasks.db") == {"tasks.db"}


async def test_symbolic_link_leads_to_the_same_store(path: Path) -> None:
    await make_store(path)
    link = path.with_name("link.db")
    link.symlink_to(path)

    async with SQLiteBackend(path) as direct, SQLiteBackend(link) as linked:
        await linked.enqueue([make_task(id="a")])

        assert set(await direct.results(["a"])) == {"a"}


async def test_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    error = await refusal_naming(tmp_path / "missing" / "tasks.db", tmp_path / "missing")

    assert isinstance(error, ConnectionError)
    assert not (tmp_path / "missing").exists()


async def test_path_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    assert isinstance(await refusal(tmp_path), ConnectionError)


async def test_path_below_a_file_is_refused(path: Path) -> None:
    path.write_text("a file")

    assert isinstance(await refusal_naming(path / "tasks.db", path), ConnectionError)


async def test_missing_file_is_not_made_without_create(path: Path) -> None:
    assert isinstance(await refusal(path, create=False), ConnectionError)
    assert list(path.parent.iterdir()) == []


async def test_empty_file_becomes_a_store(path: Path) -> None:
    path.touch()

    await make_store(path)

    assert path.stat().st_size > 0


async def test_empty_file_is_left_empty_without_create(path: Path) -> None:
    path.touch()

    await refusal(path, create=False)

    assert path.read_bytes() == b""
    assert neighbours(path) == {"tasks.db"}


@pytest.mark.parametrize("content", [b"not a database\n" * 500, b"x", b"SQLite format 3\x00" + b"\xff" * 4080])
@pytest.mark.parametrize("create", [True, False])
async def test_file_that_is_no_database_is_left_as_it_is(path: Path, content: bytes, create: bool) -> None:
    path.write_bytes(content)

    await refusal(path, create=create)

    assert path.read_bytes() == content
    assert neighbours(path) == {"tasks.db"}


@pytest.mark.parametrize("create", [True, False])
async def test_database_of_another_program_is_left_as_it_is(foreign_database: Path, create: bool) -> None:
    before = foreign_database.read_bytes()

    await refusal(foreign_database, create=create)

    assert foreign_database.read_bytes() == before
    assert neighbours(foreign_database) == {"tasks.db"}


@pytest.mark.parametrize("create", [True, False])
async def test_newer_schema_is_left_as_it_is(path: Path, create: bool) -> None:
    await make_store(path)
    with sqlite3.connect(path) as db:
        db.execute("pragma user_version = 999")
    db.close()
    before = path.read_bytes()

    error = await refusal(path, create=create)

    assert "999" in str(error)
    assert path.read_bytes() == before


async def test_refused_file_can_be_opened_by_its_own_program(foreign_database: Path) -> None:
    await refusal(foreign_database)

    db = sqlite3.connect(foreign_database)
    assert db.execute("pragma journal_mode").fetchone() == ("delete",)
    assert db.execute("select title from song").fetchall() == [("Ode",)]
    db.close()


async def test_folder_that_may_not_be_written_is_named(folder: Path) -> None:
    folder.chmod(0o500)

    error = await refusal(folder / "tasks.db")

    assert isinstance(error, ConnectionError)


async def test_file_that_may_not_be_read_is_named(folder: Path) -> None:
    path = folder / "tasks.db"
    await make_store(path)
    path.chmod(0)

    await refusal(path)


async def test_file_that_may_not_be_written_refuses_tasks(folder: Path) -> None:
    path = folder / "tasks.db"
    await make_store(path)
    path.chmod(0o400)

    with pytest.raises(BackendError, match=str(path)) as caught:
        async with SQLiteBackend(path) as backend:
            await backend.enqueue([make_task(id="a")])

    assert "\n" not in str(caught.value)


async def test_store_in_a_folder_that_may_not_be_written_refuses_tasks(folder: Path) -> None:
    path = folder / "tasks.db"
    await make_store(path)
    folder.chmod(0o500)

    with pytest.raises(BackendError, match=str(path)) as caught:
        async with SQLiteBackend(path) as backend:
            await backend.enqueue([make_task(id="a")])

    assert "\n" not in str(caught.value)


def overwrite_pages(path: Path) -> None:
    """Destroy everything behind the first page."""
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))


def cut_in_half(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize("damage", [overwrite_pages, cut_in_half])
async def test_damaged_file_is_called_damaged(path: Path, damage: Callable[[Path], None]) -> None:
    await make_store(path, tasks=500)
    damage(path)

    with pytest.raises(BackendError, match="damaged") as caught:
        async with SQLiteBackend(path) as backend:
            await backend.purge(older_than=0.0)
            await backend.enqueue([make_task(id="a")])

    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
