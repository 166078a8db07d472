"""The heartbeat: it holds what runs, from a thread that no task can hold up."""

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from running import echo, hold, hold_thread, result_of, until_begun, until_claimed

from sitq.core import WorkerInfo
from sitq.queue import TaskQueue
from sitq.worker import Worker

LEASE = 0.3


async def block_the_loop(seconds: float) -> str:
    time.sleep(seconds)
    return "blocked"


async def test_task_that_blocks_the_loop_longer_than_the_lease_keeps_it(path: Path, queue: TaskQueue) -> None:
    task = await queue.enqueue(block_the_loop, 4 * LEASE)
    blocked = threading.Thread(target=asyncio.run, args=(Worker(path, lease=LEASE).run_until_empty(timeout=10),))
    blocked.start()
    await until_claimed(queue, task)
    async with Worker(path, lease=LEASE):
        assert await task == "blocked"
    await asyncio.to_thread(blocked.join)

    assert len(await queue.attempts(task)) == 1


@pytest.mark.parametrize("function", [hold, hold_thread])
async def test_task_that_runs_longer_than_the_lease_keeps_it(
    function: Callable[..., Any], path: Path, queue: TaskQueue, gate: Path
) -> None:
    async with Worker(path, lease=LEASE, grace=0), Worker(path, lease=LEASE, grace=0):
        task = await queue.enqueue(function, gate)
        await until_begun(task)
        await asyncio.sleep(4 * LEASE)
        gate.touch()

        assert await task == "let go"
    assert len(await queue.attempts(task)) == 1


async def own_info(queue: TaskQueue, worker: Worker) -> WorkerInfo:
    (info,) = [info for info in (await queue.stats()).workers if info.id == worker.info.id]
    return info


async def test_idle_worker_stays_alive(path: Path, queue: TaskQueue) -> None:
    async with Worker(path, lease=LEASE) as worker:
        await (await queue.enqueue(echo, 1))
        first = (await own_info(queue, worker)).seen_at
        await asyncio.sleep(4 * LEASE)
        info = await own_info(queue, worker)

    assert info.alive
    assert first is not None
    assert info.seen_at is not None
    assert info.seen_at > first


async def test_task_in_a_store_in_memory_keeps_its_lease(gate: Path) -> None:
    async with TaskQueue(":memory:") as queue, Worker(queue.backend, lease=LEASE):
        task = await queue.enqueue(block_the_loop, 4 * LEASE)

        assert (await result_of(queue, task)).attempt == 1


async def test_heartbeat_thread_ends_with_the_worker(path: Path) -> None:
    async with Worker(path):
        await asyncio.sleep(0.05)
        assert "sitq-heartbeat" in [thread.name for thread in threading.enumerate()]

    assert "sitq-heartbeat" not in [thread.name for thread in threading.enumerate()]
