"""What a SQLite store says and does when the disk is full, the file is locked, or it is taken away."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from contract.builders import make_task, register, run_one, success
from processes import Programs

from sitq.backends.sqlite import SQLiteBackend
from sitq.core import Task, TaskStatus
from sitq.exceptions import BackendError, ResourceExhaustionError, SerializationError, SitqError
from sitq.queue import TaskQueue
from sitq.views import TaskQuery
from sitq.worker import Worker

MEBIBYTE = 1024 * 1024


def assert_one_line_about(error: SitqError, path: Path) -> None:
    assert "\n" not in str(error)
    assert str(path) in str(error)


class SmallDisk:
    """A file system of 2 MiB. Only root can make one."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "tasks.db"
        self.ballast = folder / "ballast"

    def fill(self, *, leave: int) -> None:
        """Take what is left, but for so many pages."""
        with self.ballast.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))
        os.truncate(self.ballast, self.ballast.stat().st_size - leave * 4096)

    def free(self) -> None:
        self.ballast.unlink()

    def make_read_only(self) -> None:
        subprocess.run(["mount", "-o", "remount,ro", self.path.parent], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small file system")
    yield SmallDisk(folder)
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
async def backend(path: Path) -> AsyncIterator[SQLiteBackend]:
    async with SQLiteBackend(path, lock_timeout=0.5) as backend:
        yield backend


@pytest.fixture
def other_program(path: Path, backend: SQLiteBackend) -> Iterator[sqlite3.Connection]:
    """A connection of another program to the same file."""
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    yield other
    other.close()


async def enqueue_until_refused(backend: SQLiteBackend) -> tuple[int, list[Task], SitqError]:
    """Store batches until one is refused; tell how many tasks were stored, which were refused, and why."""
    stored = 0
    while True:
        batch = [make_task(payload=b"x" * 20_000) for _ in range(5)]
        try:
            await backend.enqueue(batch)
        except SitqError as exc:
            return stored, batch, exc
        stored += len(batch)


async def test_full_disk_refuses_a_batch_as_a_whole(small_disk: SmallDisk) -> None:
    async with SQLiteBackend(small_disk.path) as backend:
        stored, refused, error = await enqueue_until_refused(backend)

        assert isinstance(error, ResourceExhaustionError)
        assert_one_line_about(error, small_disk.path)
        assert await backend.results([task.id for task in refused]) == {}
        assert (await backend.stats()).count(TaskStatus.PENDING) == stored > 0


async def test_full_disk_takes_tasks_again_when_there_is_space(small_disk: SmallDisk) -> None:
    async with SQLiteBackend(small_disk.path) as backend:
        await backend.enqueue([make_task()])
        small_disk.fill(leave=16)
        _, refused, _ = await enqueue_until_refused(backend)

        small_disk.free()

        assert await backend.enqueue(refused) == [task.id for task in refused]


async def test_full_disk_refuses_an_outcome_until_there_is_space(small_disk: SmallDisk) -> None:
    async with SQLiteBackend(small_disk.path) as backend:
        claim = await run_one(backend, await register(backend))
        outcome = success(claim, b"v" * MEBIBYTE)
        small_disk.fill(leave=16)

        with pytest.raises(ResourceExhaustionError, match=str(small_disk.path)):
            await backend.finish([outcome])
        small_disk.free()

        assert await backend.finish([outcome]) == {claim.id}


async def test_store_cannot_be_made_on_a_full_disk(small_disk: SmallDisk) -> None:
    small_disk.fill(leave=1)

    with pytest.raises(SitqError) as caught:
        async with SQLiteBackend(small_disk.path):
            pass

    assert_one_line_about(caught.value, small_disk.path)


async def test_store_on_a_read_only_file_system_refuses_tasks(small_disk: SmallDisk) -> None:
    async with SQLiteBackend(small_disk.path) as backend:
        await backend.enqueue([make_task()])
    small_disk.make_read_only()

    with pytest.raises(BackendError) as caught:
        async with SQLiteBackend(small_disk.path) as backend:
            await backend.enqueue([make_task()])

    assert_one_line_about(caught.value, small_disk.path)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of files")
def test_file_that_may_not_grow_is_told_in_one_line(path: Path, programs: Programs) -> None:
    program = programs.run("fill_file.py", path, MEBIBYTE)

    (line,) = program.out.splitlines()
    assert str(path) in line
    assert (program.process.returncode, program.err) == (0, "")


async def test_lock_held_too_long_by_another_program_is_told(
    backend: SQLiteBackend, other_program: sqlite3.Connection, path: Path
) -> None:
    other_program.execute("begin immediate")
    started = time.monotonic()

    with pytest.raises(BackendError, match="locked") as caught:
        await backend.enqueue([make_task()])

    assert 0.4 < time.monotonic() - started < 2.0
    assert_one_line_about(caught.value, path)


async def test_backend_works_again_once_the_lock_is_free(
    backend: SQLiteBackend, other_program: sqlite3.Connection
) -> None:
    other_program.execute("begin immediate")
    with pytest.raises(BackendError):
        await backend.enqueue([make_task()])

    other_program.execute("rollback")

    assert len(await backend.enqueue([make_task()])) == 1


async def test_lock_held_for_a_while_by_another_program_is_waited_for(
    other_program: sqlite3.Connection, path: Path
) -> None:
    other_program.execute("begin immediate")
    async with SQLiteBackend(path) as backend:
        task = make_task()
        enqueueing = asyncio.create_task(backend.enqueue([task]))
        await asyncio.sleep(1.0)
        waits = not enqueueing.done()

        other_program.execute("commit")

        assert waits
        assert await asyncio.wait_for(enqueueing, 2.0) == [task.id]


async def test_loop_goes_on_while_a_lock_is_waited_for(
    backend: SQLiteBackend, other_program: sqlite3.Connection
) -> None:
    other_program.execute("begin immediate")
    enqueueing = asyncio.create_task(backend.enqueue([make_task()]))
    longest, last = 0.0, time.monotonic()
    while not enqueueing.done():
        await asyncio.sleep(0.005)
        longest, last = max(longest, time.monotonic() - last), time.monotonic()

    assert isinstance(enqueueing.exception(), BackendError)
    assert longest < 0.2


async def test_reads_go_on_while_another_program_holds_the_lock(
    backend: SQLiteBackend, other_program: sqlite3.Connection
) -> None:
    task = make_task()
    await backend.enqueue([task])
    other_program.execute("begin immediate")

    assert set(await backend.results([task.id])) == {task.id}
    assert (await backend.stats()).count(TaskStatus.PENDING) == 1


async def test_claim_of_an_idle_worker_needs_no_lock(backend: SQLiteBackend, other_program: sqlite3.Connection) -> None:
    worker = await register(backend)
    other_program.execute("begin immediate")

    assert await backend.claim(worker.id, None, limit=1, lease=30.0) == []


async def test_file_locked_for_one_program_alone_is_told_when_opened(path: Path) -> None:
    async with SQLiteBackend(path):
        pass
    owner = sqlite3.connect(path, isolation_level=None)
    owner.execute("pragma locking_mode = exclusive")
    owner.execute("begin exclusive")
    started = time.monotonic()

    with pytest.raises(BackendError, match="locked") as caught:
        async with SQLiteBackend(path, lock_timeout=0.5) as backend:
            await backend.stats()

    owner.close()
    assert_one_line_about(caught.value, path)
    assert time.monotonic() - started < 3.0


async def test_worker_declared_dead_while_it_waits_for_the_lock_holds_nothing_for_ever(
    backend: SQLiteBackend, other_program: sqlite3.Connection, path: Path
) -> None:
    async with SQLiteBackend(path) as rival:
        heir = await register(rival)
        for _ in range(8):
            late = await register(backend, lease=0.02)
            await backend.enqueue([make_task()])
            await asyncio.sleep(0.21)  # until its lease is over and the rival looks at its neighbours again
            other_program.execute("begin immediate")
            waiting = asyncio.create_task(backend.claim(late.id, None, limit=1, lease=0.02))
            await asyncio.sleep(0.02)
            other_program.execute("commit")
            await rival.claim(heir.id, ["no such lane"], limit=1, lease=30.0)
            await waiting

        await asyncio.sleep(0.21)
        assert len(await rival.claim(heir.id, None, limit=100, lease=30.0)) == 8


def delete(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink()


def replace_by_another(path: Path) -> None:
    other = path.with_name("other.db")
    asyncio.run(make_store(other))
    delete(path)
    other.rename(path)


async def make_store(path: Path) -> None:
    async with SQLiteBackend(path) as backend:
        await backend.enqueue([make_task()])


@pytest.mark.parametrize(
    ("verb", "remove"),
    [("enqueue", delete), ("claim", delete), ("list_tasks", delete), ("stats", delete), ("stats", replace_by_another)],
)
async def test_file_taken_away_while_open_is_noticed(
    backend: SQLiteBackend, path: Path, verb: str, remove: Callable[[Path], None]
) -> None:
    calls = {
        "enqueue": lambda: backend.enqueue([make_task()]),
        "claim": lambda: backend.claim("worker", None, limit=1, lease=30.0),
        "list_tasks": lambda: backend.list_tasks(TaskQuery()),
        "stats": backend.stats,
    }
    await calls[verb]()
    await asyncio.to_thread(remove, path)
    deadline = time.monotonic() + 2.0

    with pytest.raises(BackendError, match="deleted or replaced") as caught:
        while time.monotonic() < deadline:
            await calls[verb]()
            await asyncio.sleep(0.05)

    assert_one_line_about(caught.value, path)


async def test_backend_can_be_opened_anew_after_its_file_was_deleted(path: Path) -> None:
    backend = SQLiteBackend(path)
    await backend.connect()
    delete(path)

    await backend.close()

    async with backend:
        assert len(await backend.enqueue([make_task()])) == 1
    assert path.exists()


@pytest.mark.parametrize("payload", [b"", b"garbage", b"\x80\x05garbage", bytes(2000)])
async def test_garbage_payload_fails_its_task_and_no_other(backend: SQLiteBackend, payload: bytes) -> None:
    garbage = make_task(payload=payload)
    await backend.enqueue([garbage])
    healthy = await TaskQueue(backend).enqueue(lambda: "healthy")

    await Worker(backend).run_until_empty(timeout=10.0)

    results = await backend.results([garbage.id, healthy])
    error = results[garbage.id].error
    assert results[garbage.id].status is TaskStatus.FAILED
    assert error is not None
    assert error.startswith("SerializationError: ")
    assert "\n" not in error
    assert results[healthy].status is TaskStatus.SUCCESS


async def test_garbage_value_is_told_to_who_asks_for_it(backend: SQLiteBackend) -> None:
    claim = await run_one(backend, await register(backend))
    await backend.finish([success(claim, b"garbage")])

    result = await TaskQueue(backend).get_result(claim.id, timeout=1.0)

    assert result is not None
    with pytest.raises(SerializationError):
        TaskQueue(backend).deserialize_result(result)


async def test_worker_keeps_what_a_full_disk_refused(small_disk: SmallDisk) -> None:
    async with SQLiteBackend(small_disk.path) as backend:
        queue = TaskQueue(backend)
        async with Worker(backend):
            task = await queue.enqueue(lambda: time.sleep(0.3) or "v" * 500_000)
            small_disk.fill(leave=16)
            too_early = await queue.get_result(task, timeout=1.0)

            small_disk.free()

            result = await queue.get_result(task, timeout=10.0)
    assert too_early is None
    assert result is not None
    assert (result.status, result.attempt) == (TaskStatus.SUCCESS, 1)


async def test_worker_outlasts_a_lock_held_too_long(backend: SQLiteBackend, other_program: sqlite3.Connection) -> None:
    queue = TaskQueue(backend)
    async with Worker(backend):
        task = await queue.enqueue(lambda: time.sleep(0.2))
        await asyncio.sleep(0.1)
        other_program.execute("begin immediate")
        await asyncio.sleep(1.2)  # longer than the backend tries

        other_program.execute("commit")

        result = await queue.get_result(task, timeout=10.0)
    assert result is not None
    assert (result.status, result.attempt) == (TaskStatus.SUCCESS, 1)


async def test_worker_ends_with_an_error_when_its_file_is_taken_away(backend: SQLiteBackend, path: Path) -> None:
    serving = asyncio.create_task(Worker(backend, poll_interval=0.1).start())
    await asyncio.sleep(0.2)

    delete(path)

    with pytest.raises(BackendError, match="deleted or replaced") as caught:
        await asyncio.wait_for(serving, 5.0)
    assert_one_line_about(caught.value, path)
