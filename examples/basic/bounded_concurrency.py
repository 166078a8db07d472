"""A worker runs as many tasks at once as it was told, and no more, be they async or sync."""

import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sitq import TaskHandle, TaskQueue, Worker

LIMIT = 3
TASKS = 12


async def rest() -> tuple[float, float]:
    begun = time.monotonic()
    await asyncio.sleep(0.1)
    return begun, time.monotonic()


def block() -> tuple[float, float]:
    begun = time.monotonic()
    time.sleep(0.1)
    return begun, time.monotonic()


def most_at_once(spans: list[tuple[float, float]]) -> int:
    return max(sum(begun <= moment < ended for begun, ended in spans) for moment, _ in spans)


async def run_many(queue: TaskQueue, function: Callable[[], Any]) -> None:
    handles: list[TaskHandle[Any]] = await queue.enqueue_many(function, [()] * TASKS)
    most = most_at_once([await handle for handle in handles])
    print(f"{TASKS} x {function.__name__}: at most {most} at once, allowed are {LIMIT}")
    assert most == LIMIT


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "bounded.db"
        async with TaskQueue(store) as queue, Worker(store, max_concurrency=LIMIT):
            await run_many(queue, rest)
            await run_many(queue, block)


if __name__ == "__main__":
    asyncio.run(main())
