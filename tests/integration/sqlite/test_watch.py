"""A change wakes who waits: by a ring in its own process, by a watch of the file in others; idle it costs nothing."""

import asyncio
import sqlite3
import statistics
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from contract.builders import make_task
from processes import Programs

from sitq.backends.sqlite import SQLiteBackend
from sitq.backends.sqlite.files import MEMORY, StoreFile
from sitq.backends.sqlite.watch import Bell
from sqlite.probes import CountingLoop

COMMITTER = Path(__file__).parent / "programs" / "commit_at_intervals.py"
SOON = 1.0


@pytest.fixture(params=["inotify", "poll"])
def file(request: pytest.FixtureRequest, path: Path, outsider: sqlite3.Connection) -> StoreFile:
    """A store's file in use, which is watched by one means or the other."""
    if request.param == "inotify" and sys.platform != "linux":
        pytest.skip("inotify is a means of Linux")
    outsider.execute("pragma journal_mode = wal")
    outsider.execute("create table change(n)")
    return StoreFile(str(path), shared=request.param == "poll")


@pytest.fixture
async def bell(file: StoreFile) -> AsyncIterator[Bell]:
    bell = Bell(file)
    yield bell
    bell.close()


def commit(outsider: sqlite3.Connection) -> None:
    outsider.execute("insert into change values (1)")


async def settle(bell: Bell) -> None:
    """Wait until the bell has told of all that was before."""
    while await bell.wait((), timeout=0.1):
        pass


async def rings_after(bell: Bell, act: Callable[[], object]) -> bool:
    """Tell whether a wait that began before `act` is woken by it."""
    await settle(bell)
    waiting = asyncio.create_task(bell.wait((), timeout=SOON))
    await asyncio.sleep(0.02)
    act()
    return await waiting


async def test_commit_of_another_connection_rings(bell: Bell, outsider: sqlite3.Connection) -> None:
    assert await rings_after(bell, lambda: commit(outsider))


async def test_each_of_several_commits_rings(bell: Bell, outsider: sqlite3.Connection) -> None:
    assert [await rings_after(bell, lambda: commit(outsider)) for _ in range(5)] == [True] * 5


async def test_nothing_rings_without_a_commit(bell: Bell) -> None:
    assert not await rings_after(bell, lambda: None)


async def test_commit_while_nobody_waits_rings_the_next_wait(bell: Bell, outsider: sqlite3.Connection) -> None:
    await settle(bell)
    commit(outsider)

    assert await bell.wait((), timeout=SOON)


@pytest.mark.parametrize("mode", ["passive", "full", "restart", "truncate"])
async def test_commit_after_a_checkpoint_rings(bell: Bell, outsider: sqlite3.Connection, mode: str) -> None:
    commit(outsider)
    outsider.execute(f"pragma wal_checkpoint({mode})")

    assert await rings_after(bell, lambda: commit(outsider))


async def test_ring_wakes_all_who_wait(bell: Bell, outsider: sqlite3.Connection) -> None:
    await settle(bell)
    waits = [asyncio.create_task(bell.wait((), timeout=SOON)) for _ in range(20)]
    await asyncio.sleep(0.02)

    commit(outsider)

    assert await asyncio.gather(*waits) == [True] * 20


async def test_commit_right_after_a_ring_rings_again(bell: Bell, outsider: sqlite3.Connection) -> None:
    """Rings are spared within 2 ms, but a change must never be the one that is spared."""
    await settle(bell)
    rang = []
    for _ in range(20):
        commit(outsider)
        rang.append(await bell.wait((), timeout=SOON))

    assert rang == [True] * 20


@pytest.mark.parametrize("shared", [False, True])
def test_nothing_is_armed_while_nobody_waits(path: Path, outsider: sqlite3.Connection, shared: bool) -> None:
    loop = CountingLoop()
    outsider.execute("pragma journal_mode = wal")
    outsider.execute("create table change(n)")

    async def wait_and_leave() -> tuple[set[int], int]:
        bell, before = Bell(StoreFile(str(path), shared=shared)), set(loop.readers)
        await settle(bell)
        rings = loop.calls_from_threads
        for _ in range(10):
            commit(outsider)
            await asyncio.sleep(0.02)
        left, rang = loop.readers - before, loop.calls_from_threads - rings
        bell.close()
        return left, rang

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        left, rang = runner.run(wait_and_leave())

    assert left == set()
    assert rang <= 1  # the poll that was under way when the last one left


async def test_cancelled_wait_leaves_the_bell_usable(bell: Bell, outsider: sqlite3.Connection) -> None:
    waiting = asyncio.create_task(bell.wait((), timeout=30.0))
    await asyncio.sleep(0.02)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)

    assert await rings_after(bell, lambda: commit(outsider))


async def test_file_that_inotify_cannot_watch_is_polled(path: Path, outsider: sqlite3.Connection) -> None:
    outsider.execute("create table change(n)")  # a rollback journal: there is no -wal file
    bell = Bell(StoreFile(str(path)))

    rang = await rings_after(bell, lambda: commit(outsider))

    bell.close()
    assert rang


async def test_commits_of_another_process_ring_within_a_tenth_of_a_second(
    path: Path, file: StoreFile, outsider: sqlite3.Connection, programs: Programs
) -> None:
    outsider.execute("drop table change")
    async with SQLiteBackend(path):
        bell, rings = Bell(file), list[float]()
        program = programs.start(str(COMMITTER), path, 12, 0.1)
        while program.process.poll() is None:
            if await bell.wait((), timeout=0.1):
                rings.append(time.monotonic())
        bell.close()

    commits = [float(line) for line in program.out.splitlines()]
    delays = [min((ring - moment for ring in rings if ring >= moment), default=SOON) for moment in commits]
    assert (program.err, len(commits)) == ("", 12)
    assert statistics.median(delays) < 0.1


async def test_wait_of_a_backend_is_woken_by_another_process(path: Path, programs: Programs) -> None:
    async with SQLiteBackend(path) as backend:
        program = programs.start(str(COMMITTER), path, 1, 0.0)
        while not (await backend.stats()).queues:
            await backend.wait(["default"], timeout=30.0)

    assert program.wait() == 0


async def test_memory_is_watched_by_nothing_but_rings_reach_it() -> None:
    bells = [Bell(StoreFile(MEMORY)), Bell(StoreFile(MEMORY))]
    waits = [asyncio.create_task(bell.wait(["mail"], timeout=SOON)) for bell in bells]
    await asyncio.sleep(0)

    bells[0].ring(["mail"])

    assert await asyncio.gather(*waits) == [True, True]
    for bell in bells:
        bell.close()


@pytest.mark.parametrize(("rung", "woken"), [(["mail"], True), (["video"], False), (["video", "mail"], True)])
async def test_ring_wakes_only_who_waits_for_what_changed(rung: list[str], woken: bool) -> None:
    bell = Bell(StoreFile(MEMORY))
    waiting = asyncio.create_task(bell.wait(["mail"], timeout=0.1))
    await asyncio.sleep(0)

    bell.ring(rung)

    assert await waiting is woken
    bell.close()


async def test_ring_while_nobody_waits_is_heard_once_by_the_next_who_does() -> None:
    bell = Bell(StoreFile(MEMORY))
    bell.ring(["mail"])

    heard = [await bell.wait([key], timeout=0.05) for key in ("video", "mail", "mail")]

    bell.close()
    assert heard == [False, True, False]


async def test_rings_that_nobody_hears_are_not_kept_without_end() -> None:
    bell = Bell(StoreFile(MEMORY))
    for number in range(30_000):
        bell.ring([f"task-{number}"])

    heard = [await bell.wait([f"task-{number}"], timeout=0.0) for number in range(0, 30_000, 100)]

    bell.close()
    assert sum(heard) <= 100


def test_ring_reaches_bells_on_the_loops_of_other_threads() -> None:
    ready, answers = threading.Barrier(3), list[bool]()

    async def wait() -> None:
        bell = Bell(StoreFile(MEMORY))
        ready.wait(5.0)
        answers.append(await bell.wait(["mail"], timeout=5.0))
        bell.close()

    async def ring() -> None:
        bell = Bell(StoreFile(MEMORY))
        ready.wait(5.0)
        bell.ring(["mail"])
        bell.close()

    threads = [threading.Thread(target=asyncio.run, args=(wait(),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    asyncio.run(ring())
    for thread in threads:
        thread.join()
    assert answers == [True, True]


async def test_ring_passes_over_bells_whose_loop_has_ended() -> None:
    async def leave() -> Bell:
        return Bell(StoreFile(MEMORY))

    left = await asyncio.to_thread(asyncio.run, leave())
    bell = Bell(StoreFile(MEMORY))
    waiting = asyncio.create_task(bell.wait(["mail"], timeout=SOON))
    await asyncio.sleep(0)

    bell.ring(["mail"])

    assert await waiting
    for each in (left, bell):
        each.close()


async def test_closed_bell_lets_its_waiters_go(file: StoreFile) -> None:
    bell = Bell(file)
    waits = [asyncio.create_task(bell.wait(["mail"], timeout=30.0)) for _ in range(3)]
    await asyncio.sleep(0)

    bell.close()

    await asyncio.wait_for(asyncio.gather(*waits), 1.0)


async def test_backends_on_one_file_in_two_threads_wake_each_other(path: Path, backend: SQLiteBackend) -> None:
    async def enqueue() -> None:
        async with backend.twin() as twin:
            await twin.enqueue([make_task(queue="mail")])

    waiting = asyncio.create_task(backend.wait(["mail"], timeout=30.0))
    await asyncio.sleep(0.05)

    await asyncio.to_thread(asyncio.run, enqueue())

    await asyncio.wait_for(waiting, SOON)
