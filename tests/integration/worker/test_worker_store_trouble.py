"""Trouble with the store: what passes by itself is survived, and nothing that ran is lost."""

import asyncio
import logging
from pathlib import Path

import pytest
from running import echo, hold, hold_thread, impatient, locked, until, until_begun

from sitq.backends.sqlite import SQLiteBackend
from sitq.core import TaskStatus
from sitq.exceptions import BackendError
from sitq.queue import TaskQueue
from sitq.worker import Worker


@pytest.mark.parametrize("function", [hold, hold_thread])
async def test_outcome_waits_until_the_store_is_free(
    function: object, path: Path, queue: TaskQueue, gate: Path
) -> None:
    async with Worker(impatient(path), grace=0):
        task = await queue.enqueue(function, gate)  # type: ignore[arg-type]
        await until_begun(task)
        with locked(path):
            gate.touch()
            await asyncio.sleep(0.4)

        assert await task == "let go"
    assert len(await queue.attempts(task)) == 1


async def test_tasks_are_claimed_when_the_store_is_free_again(path: Path, queue: TaskQueue) -> None:
    async with Worker(impatient(path), grace=0, poll_interval=0.05):
        await (await queue.enqueue(echo, 1))
        with locked(path):
            await asyncio.sleep(0.4)

        assert await (await queue.enqueue(echo, 2)) == 2


async def test_worker_starts_when_the_store_is_free(path: Path, queue: TaskQueue) -> None:
    task = await queue.enqueue(echo, 1)
    with locked(path):
        serving = asyncio.create_task(Worker(path).run_until_empty())
        await asyncio.sleep(0.2)

    await asyncio.wait_for(serving, timeout=5.0)
    assert await task == 1


async def test_trouble_is_logged_as_a_warning(path: Path, queue: TaskQueue, caplog: pytest.LogCaptureFixture) -> None:
    async with Worker(impatient(path), grace=0, poll_interval=0.05):
        await (await queue.enqueue(echo, 1))
        await queue.enqueue(asyncio.sleep, 0.1)
        await asyncio.sleep(0.05)
        with locked(path):
            await asyncio.sleep(0.4)

    troubles = [record for record in caplog.records if "has been locked" in record.getMessage()]
    assert troubles
    assert {record.levelno for record in troubles} == {logging.WARNING}


async def test_lease_outlives_a_lock_shorter_than_itself(path: Path, queue: TaskQueue, gate: Path) -> None:
    async with Worker(impatient(path), lease=2.0, grace=0), Worker(path, lease=2.0, grace=0):
        task = await queue.enqueue(hold, gate)
        await until_begun(task)
        with locked(path):
            await asyncio.sleep(1.0)
        await asyncio.sleep(1.5)
        gate.touch()

        assert await task == "let go"
    assert len(await queue.attempts(task)) == 1


async def test_stop_does_not_wait_for_ever_for_a_locked_store(path: Path, queue: TaskQueue) -> None:
    worker = Worker(impatient(path))
    serving = asyncio.create_task(worker.start())
    await (await queue.enqueue(echo, 1))

    with locked(path):
        await asyncio.wait_for(worker.stop(grace=0), timeout=4.0)

    await asyncio.wait([serving])


async def test_deleted_file_ends_the_worker_with_a_clear_error(path: Path, queue: TaskQueue) -> None:
    serving = asyncio.create_task(Worker(path, poll_interval=0.05).start())
    await (await queue.enqueue(echo, 1))
    await queue.close()
    for file in path.parent.glob("tasks.db*"):
        file.unlink()

    with pytest.raises(BackendError, match="deleted"):
        await asyncio.wait_for(serving, timeout=5.0)


async def test_store_closed_by_its_owner_ends_the_worker_with_a_clear_error(path: Path) -> None:
    backend = SQLiteBackend(path)
    await backend.connect()
    serving = asyncio.create_task(Worker(backend, poll_interval=0.05).start())
    await asyncio.sleep(0.1)

    await backend.close()

    with pytest.raises(BackendError, match="not open"):
        await asyncio.wait_for(serving, timeout=5.0)


async def test_task_deleted_while_it_waits_is_no_trouble(path: Path, queue: TaskQueue, gate: Path) -> None:
    async with Worker(path, max_concurrency=1, grace=0):
        await until_begun(await queue.enqueue(hold, gate))
        waiting = await queue.enqueue(echo, 1)
        assert await queue.delete(waiting) == {waiting}
        gate.touch()

        assert await (await queue.enqueue(echo, 2)) == 2


async def test_running_task_cannot_be_deleted(queue: TaskQueue, worker: Worker, gate: Path) -> None:
    task = await queue.enqueue(hold, gate)
    await until_begun(task)

    assert await queue.delete(task) == set()

    gate.touch()

    async def succeeded() -> bool:
        return await task.status() is TaskStatus.SUCCESS

    assert await until(succeeded)
