"""The store in memory: one that all backends of a process share while any of them is open."""

import asyncio
from pathlib import Path

import pytest
from contract.builders import claim_all, make_task, register

from sitq import backend_from_url
from sitq.backends.sqlite import MemoryBackend, SQLiteBackend
from sitq.core import TaskStatus


async def pending() -> int:
    async with SQLiteBackend(":memory:") as backend:
        return (await backend.stats()).count(TaskStatus.PENDING)


async def test_backends_share_what_is_in_memory() -> None:
    async with SQLiteBackend(":memory:") as first, SQLiteBackend(":memory:") as second:
        await first.enqueue([make_task(id="a")])

        assert set(await second.results(["a"])) == {"a"}


async def test_memory_outlives_the_backend_that_made_it() -> None:
    first, second = SQLiteBackend(":memory:"), SQLiteBackend(":memory:")
    await first.connect()
    await second.connect()
    await first.enqueue([make_task(id="a")])

    await first.close()

    assert set(await second.results(["a"])) == {"a"}
    await second.close()


async def test_memory_is_forgotten_when_the_last_backend_closes() -> None:
    async with SQLiteBackend(":memory:") as first, SQLiteBackend(":memory:") as second:
        await first.enqueue([make_task()])
        await second.enqueue([make_task()])

    assert await pending() == 0


def test_memory_is_forgotten_with_the_loop_that_used_it() -> None:
    async def enqueue() -> None:
        async with SQLiteBackend(":memory:") as backend:
            await backend.enqueue([make_task()])

    asyncio.run(enqueue())

    assert asyncio.run(pending()) == 0


async def test_memory_is_shared_by_the_loops_of_several_threads() -> None:
    async def enqueue(count: int) -> None:
        async with SQLiteBackend(":memory:") as backend:
            for _ in range(count):
                await backend.enqueue([make_task()])

    async with SQLiteBackend(":memory:") as backend:
        await asyncio.gather(*(asyncio.to_thread(asyncio.run, enqueue(100)) for _ in range(3)), enqueue(100))

        assert (await backend.stats()).count(TaskStatus.PENDING) == 400


async def test_tasks_in_memory_are_handed_out_once_to_workers_of_several_threads() -> None:
    async def drain() -> list[str]:
        async with SQLiteBackend(":memory:") as backend:
            return [claim.id for claim in await claim_all(backend, await register(backend), limit=3)]

    async with SQLiteBackend(":memory:") as backend:
        new = [make_task() for _ in range(300)]
        await backend.enqueue(new)

        shares = await asyncio.gather(*(asyncio.to_thread(asyncio.run, drain()) for _ in range(3)))

    assert sorted(task_id for share in shares for task_id in share) == sorted(task.id for task in new)


async def test_wait_in_one_thread_is_woken_by_an_enqueue_in_another() -> None:
    async def enqueue() -> None:
        async with SQLiteBackend(":memory:") as backend:
            await backend.enqueue([make_task(queue="mail")])

    async with SQLiteBackend(":memory:") as backend:
        waiting = asyncio.create_task(backend.wait(["mail"], timeout=30.0))
        await asyncio.sleep(0.05)

        await asyncio.to_thread(asyncio.run, enqueue())

        await asyncio.wait_for(waiting, 1.0)


@pytest.mark.parametrize("durability", ["normal", "full"])
async def test_memory_makes_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durability: str) -> None:
    monkeypatch.chdir(tmp_path)

    async with SQLiteBackend(":memory:", durability=durability) as backend:
        await backend.enqueue([make_task()])

    assert list(tmp_path.iterdir()) == []


async def test_each_memory_backend_has_a_store_of_its_own() -> None:
    async with MemoryBackend() as first, MemoryBackend() as second, first.twin() as twin:
        await first.enqueue([make_task(id="a")])

        assert set(await twin.results(["a"])) == {"a"}
        assert await second.results(["a"]) == {}


async def test_memory_backends_of_one_name_share_a_store() -> None:
    async with MemoryBackend("orders") as first, backend_from_url("memory://orders") as second:
        await first.enqueue([make_task(id="a")])

        assert set(await second.results(["a"])) == {"a"}


async def test_any_name_names_a_store_in_memory_and_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async with MemoryBackend("a/b?vfs=unix&mode=rwc#c") as backend:
        await backend.enqueue([make_task(id="a")])

    assert list(tmp_path.iterdir()) == []
