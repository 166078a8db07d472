"""The file of a store by all the names it may have, and what Python must never do to it."""

import asyncio
import sqlite3
import sys
from pathlib import Path

import pytest
from contract.builders import make_task
from processes import Programs

from sitq.backends.sqlite import SQLiteBackend
from sitq.backends.sqlite.connection import Connection
from sitq.backends.sqlite.files import store_file
from sitq.exceptions import BackendError

AUDIT = Path(__file__).parent / "programs" / "audit_opens.py"

TRY_TO_WRITE = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('begin immediate')"


async def use(name: str | Path) -> None:
    async with SQLiteBackend(name) as backend:
        await backend.enqueue([make_task()])


async def test_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    await use("~/tasks.db")

    assert [found.name for found in tmp_path.iterdir()] == ["tasks.db"]


async def test_relative_path_begins_at_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")

    await use("../tasks.db")

    assert (tmp_path / "tasks.db").is_file()


async def test_wait_through_a_symbolic_link_is_woken_by_who_uses_the_file_itself(path: Path) -> None:
    await use(path)
    link = path.with_name("link.db")
    link.symlink_to(path)
    async with SQLiteBackend(path) as direct, SQLiteBackend(link) as linked:
        waiting = asyncio.create_task(linked.wait(["mail"], timeout=30.0))
        await asyncio.sleep(0.3)

        await direct.enqueue([make_task(queue="mail")])

        await asyncio.wait_for(waiting, 1.0)


async def test_symbolic_link_to_a_file_that_is_missing_is_refused_by_its_name(tmp_path: Path) -> None:
    link, target = tmp_path / "link.db", tmp_path / "target.db"
    link.symlink_to(target)

    with pytest.raises(ConnectionError, match=r"link\.db"):
        await use(link)

    assert not target.exists()


def test_python_itself_never_opens_the_file_again(path: Path, programs: Programs) -> None:
    """Closing any descriptor of the file drops the locks of the process on it: that would corrupt the store."""
    program = programs.run(str(AUDIT), path, timeout=30.0)

    assert (program.process.returncode, program.err) == (0, "")
    assert program.out.splitlines() == [f"exclusively {path}"]


async def test_lock_survives_that_another_backend_of_the_process_closes(path: Path, connection: Connection) -> None:
    await connection.call(lambda raw: raw.execute("begin immediate") and None)
    async with SQLiteBackend(path, create=False) as other:
        await other.stats()

    program = await asyncio.create_subprocess_exec(
        sys.executable, "-c", TRY_TO_WRITE, str(path), stderr=asyncio.subprocess.PIPE
    )
    _, complaint = await program.communicate()
    await connection.call(lambda raw: raw.execute("rollback") and None)

    assert b"database is locked" in complaint


PRAGMAS = {
    "journal_mode": "wal",
    "busy_timeout": 0,
    "wal_autocheckpoint": 1000,
    "secure_delete": 0,
    "auto_vacuum": 0,
    "temp_store": 2,
    "mmap_size": 0,
}


@pytest.mark.parametrize(("durability", "synchronous"), [("normal", 1), ("full", 2)])
async def test_connection_is_set_up_as_measured(path: Path, durability: str, synchronous: int) -> None:
    file = store_file(str(path))
    file.prepare(create=True)
    connection = Connection(file, durability=durability, lock_timeout=5.0)
    await connection.open(create=True)

    def read(raw: sqlite3.Connection) -> dict[str, object]:
        return {name: raw.execute(f"pragma {name}").fetchone()[0] for name in (*PRAGMAS, "synchronous")}

    settings = await connection.call(read)

    await connection.close()
    assert settings == {**PRAGMAS, "synchronous": synchronous}


async def test_reading_connection_cannot_write(path: Path) -> None:
    await use(path)
    reader = Connection(store_file(str(path)), durability="normal", query_only=True, lock_timeout=5.0)
    await reader.open()

    with pytest.raises(BackendError, match="read-only"):
        await reader.call(lambda raw: raw.execute("delete from task"))

    await reader.close()
