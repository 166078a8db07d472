"""A store in a network or cloud-sync folder: it warns once, keeps a rollback journal, and works all the same."""

import asyncio
import sqlite3
import statistics
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from contract.builders import claim_all, make_task, register, success
from processes import Programs

from sitq.backends.sqlite import SQLiteBackend
from sitq.backends.sqlite.files import SharedFolderWarning
from sitq.core import TaskStatus
from sitq.queue import TaskQueue
from sitq.worker import Worker

COMMITTER = Path(__file__).parent / "programs" / "commit_at_intervals.py"


@pytest.fixture
def synced(tmp_path: Path) -> Path:
    """Where a store may be made in a folder that a sync client copies."""
    folder = tmp_path / "Dropbox" / "work"
    folder.mkdir(parents=True)
    return folder / "tasks.db"


@pytest.fixture
def warned() -> Iterator[None]:
    """Let the warning pass, for tests of what comes after it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SharedFolderWarning)
        yield


async def test_folder_of_a_sync_client_is_warned_of_once(synced: Path) -> None:
    with pytest.warns(SharedFolderWarning) as caught:
        async with SQLiteBackend(synced) as backend:
            await backend.enqueue([make_task()])
            await backend.stats()

    (warning,) = caught
    assert str(synced) in str(warning.message)
    assert "Dropbox" in str(warning.message)


async def test_local_folder_is_not_warned_of(path: Path) -> None:
    async with SQLiteBackend(path) as backend:
        await backend.stats()


@pytest.mark.usefixtures("warned")
async def test_synced_store_keeps_a_rollback_journal_and_leaves_one_file(synced: Path) -> None:
    async with SQLiteBackend(synced) as backend:
        await backend.enqueue([make_task()])
        await backend.stats()
        during = {found.name for found in synced.parent.iterdir()}

    db = sqlite3.connect(synced)
    assert db.execute("pragma journal_mode").fetchone() == ("delete",)
    db.close()
    assert during <= {"tasks.db", "tasks.db-journal"}


@pytest.mark.usefixtures("warned")
async def test_synced_store_takes_tasks_through_their_whole_life(synced: Path) -> None:
    async with SQLiteBackend(synced) as backend:
        worker = await register(backend)
        await backend.enqueue([make_task() for _ in range(50)])
        claims = await claim_all(backend, worker)

        assert len(await backend.finish([success(claim) for claim in claims])) == 50
        assert (await backend.stats()).count(TaskStatus.SUCCESS) == 50


@pytest.mark.usefixtures("warned")
async def test_store_moved_into_a_synced_folder_changes_its_journal(path: Path, synced: Path) -> None:
    async with SQLiteBackend(path) as backend:
        await backend.enqueue([make_task(id="a")])
    path.rename(synced)

    async with SQLiteBackend(synced) as backend:
        assert set(await backend.results(["a"])) == {"a"}
        assert not Path(f"{synced}-wal").exists()


@pytest.mark.usefixtures("warned")
async def test_worker_on_a_synced_store_runs_tasks(synced: Path) -> None:
    async with SQLiteBackend(synced) as backend:
        queue = TaskQueue(backend)
        tasks = [await queue.enqueue(abs, -number) for number in range(20)]

        await Worker(backend.twin()).run_until_empty(timeout=20.0)

        results = await backend.results(tasks)
    assert {result.status for result in results.values()} == {TaskStatus.SUCCESS}


@pytest.mark.usefixtures("warned")
async def test_wait_on_a_synced_store_is_woken_by_another_process(synced: Path, programs: Programs) -> None:
    async with SQLiteBackend(synced) as backend:
        rings = list[float]()
        program = programs.start(str(COMMITTER), synced, 10, 0.1)
        while program.process.poll() is None:
            await backend.wait((), timeout=0.1)
            rings.append(time.monotonic())

    commits = [float(line) for line in program.out.splitlines()]
    delays = [min((ring - moment for ring in rings if ring >= moment), default=1.0) for moment in commits]
    assert len(commits) == 10
    assert statistics.median(delays) < 0.15


async def enqueue_singly(backend: SQLiteBackend, count: int) -> None:
    for _ in range(count):
        await backend.enqueue([make_task()])


@pytest.mark.usefixtures("warned")
async def test_reads_of_a_synced_store_wait_for_its_writers(synced: Path) -> None:
    """Without a log the writer locks readers out while it commits: they have to try again."""
    async with SQLiteBackend(synced) as backend, backend.twin() as twin:
        await backend.enqueue([make_task(id="a")])
        writing = asyncio.create_task(enqueue_singly(backend, 60))
        while not writing.done():
            assert set(await twin.results(["a"])) == {"a"}
        await writing


@pytest.mark.usefixtures("warned")
async def test_idle_looks_at_a_synced_store_wait_for_its_writers(synced: Path) -> None:
    async with SQLiteBackend(synced) as backend, backend.twin() as twin:
        worker = await register(twin)
        writing = asyncio.create_task(enqueue_singly(backend, 60))
        while not writing.done():
            assert await twin.claim(worker.id, ["nothing here"], limit=1, lease=30.0) == []
        await writing
