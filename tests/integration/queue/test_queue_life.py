"""When a queue opens its store, and whether it closes it."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from sitq.backends.sqlite import SQLiteBackend
from sitq.exceptions import ConfigurationError, ConnectionError, SitqError, ValidationError
from sitq.queue import TaskQueue
from sitq.worker import Worker

VERBS: dict[str, Callable[[TaskQueue], Awaitable[Any]]] = {
    "connect": lambda queue: queue.connect(),
    "enqueue": lambda queue: queue.enqueue(abs, 1),
    "enqueue_many": lambda queue: queue.enqueue_many(abs, [(1,)]),
    "map": lambda queue: queue.map(abs, [1]),
    "options": lambda queue: queue.options(priority=1).enqueue(abs, 1),
    "options map": lambda queue: queue.options(priority=1).map(abs, [1]),
    "get_result": lambda queue: queue.get_result("unknown"),
    "get_task": lambda queue: queue.get_task("unknown"),
    "list_tasks": lambda queue: queue.list_tasks(),
    "attempts": lambda queue: queue.attempts("unknown"),
    "stats": lambda queue: queue.stats(),
    "cancel": lambda queue: queue.cancel("unknown"),
    "requeue": lambda queue: queue.requeue("unknown"),
    "run_now": lambda queue: queue.run_now("unknown"),
    "delete": lambda queue: queue.delete("unknown"),
    "purge": lambda queue: queue.purge(),
    "pause": lambda queue: queue.pause("mail"),
    "resume": lambda queue: queue.resume("mail"),
    "handle status": lambda queue: queue.handle("unknown").status(),
}


async def test_making_a_queue_touches_nothing(path: Path) -> None:
    queue = TaskQueue(path)

    assert not queue.backend.connected
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("verb", VERBS)
async def test_first_use_opens_the_store(verb: str, path: Path) -> None:
    queue = TaskQueue(path)

    await VERBS[verb](queue)

    assert queue.backend.connected
    await queue.close()


async def test_many_first_uses_at_once_share_one_connection(path: Path) -> None:
    queue = TaskQueue(path)

    tasks = await asyncio.gather(*(queue.enqueue(abs, number) for number in range(20)))

    assert len(await queue.list_tasks()) == len(set(tasks)) == 20
    await queue.close()


async def test_store_that_the_queue_opened_is_closed_by_it(path: Path) -> None:
    async with TaskQueue(path) as queue:
        pass

    assert not queue.backend.connected


async def test_backend_that_the_queue_opened_is_closed_by_it(path: Path) -> None:
    backend = SQLiteBackend(path)
    async with TaskQueue(backend):
        assert backend.connected

    assert not backend.connected


async def test_backend_that_was_open_before_stays_open(path: Path) -> None:
    async with SQLiteBackend(path) as backend:
        async with TaskQueue(backend) as queue:
            await queue.enqueue(abs, 1)

        assert backend.connected


async def test_closing_twice_is_harmless(path: Path) -> None:
    queue = TaskQueue(path)
    await queue.connect()

    await queue.close()
    await queue.close()


async def test_closing_an_unused_queue_is_harmless(path: Path) -> None:
    await TaskQueue(path).close()


async def test_connecting_twice_is_harmless(path: Path) -> None:
    async with TaskQueue(path) as queue:
        await queue.connect()

    assert not queue.backend.connected


async def test_closed_queue_opens_again_on_use(path: Path) -> None:
    queue = TaskQueue(path)
    task = await queue.enqueue(abs, 1)
    await queue.close()

    assert await queue.get_task(task) is not None
    await queue.close()


async def test_queue_outlives_the_worker_that_opened_their_backend(path: Path) -> None:
    backend = SQLiteBackend(path)
    queue = TaskQueue(backend)
    async with Worker(backend):
        await asyncio.sleep(0.05)
        task = await queue.enqueue(abs, -1)
        assert await task == 1

    assert await task == 1
    await queue.close()


async def test_closing_lets_waiting_callers_go(path: Path) -> None:
    queue = TaskQueue(path)
    waiting = asyncio.create_task(queue.get_result(await queue.enqueue(abs, 1)))
    await asyncio.sleep(0.05)

    await queue.close()

    assert await asyncio.wait_for(waiting, timeout=1.0) is None


async def test_tasks_outlive_the_queue(path: Path) -> None:
    async with TaskQueue(path) as queue:
        task = await queue.enqueue(abs, -1)
    await Worker(path).run_until_empty(timeout=5)

    async with TaskQueue(path) as queue:
        assert await queue.handle(str(task)) == 1


async def test_default_store_is_named_sitq_db(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async with TaskQueue():
        assert (tmp_path / "sitq.db").exists()


@pytest.mark.parametrize("prefix", ["", "sqlite:///"])
async def test_store_is_named_by_a_path_or_a_url(prefix: str, path: Path) -> None:
    async with TaskQueue(f"{prefix}{path}"):
        assert path.exists()


async def test_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConnectionError, match="no/such"):
        await TaskQueue(tmp_path / "no/such/tasks.db").enqueue(abs, 1)


async def test_queue_can_be_used_after_its_store_could_not_be_opened(tmp_path: Path) -> None:
    queue = TaskQueue(tmp_path / "later/tasks.db")
    with pytest.raises(SitqError):
        await queue.enqueue(abs, 1)
    (tmp_path / "later").mkdir()

    await queue.enqueue(abs, 1)

    await queue.close()
    assert not queue.backend.connected


def test_unknown_store_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"got mysql://$"):
        TaskQueue("mysql://here")


@pytest.mark.parametrize("timeout", [-1, float("nan"), "1"])
def test_default_timeout_that_cannot_be_right_is_refused(timeout: Any, path: Path) -> None:
    with pytest.raises(ValidationError, match="default_result_timeout must be 0 seconds or more"):
        TaskQueue(path, default_result_timeout=timeout)


def test_queue_names_its_store(path: Path) -> None:
    assert repr(TaskQueue(path)) == f"TaskQueue(SQLiteBackend('{path}'))"
