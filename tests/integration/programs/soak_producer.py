"""Stores tasks, looks at how each ended, and goes on until SIGTERM: soak_producer.py PATH FIRST

Prints at the end, as JSON, how many tasks ended and how many attempts before their last were lost or had failed.
"""

import asyncio
import contextlib
import json
import signal
import sys
import time
from collections import Counter

from sitq.context import current_task
from sitq.core import Cause, TaskStatus
from sitq.handle import TaskHandle
from sitq.queue import TaskQueue

BATCH = 40
REST = 0.25  # seconds between batches, so that a soak leaves the machine room
RETENTION = 5.0


def size_of(number: int) -> int:
    return number * 7919 % 4096


def work(number: int) -> bytes:
    """Print and return something of the number's own length, after a moment and sometimes a failure."""
    print(f"number {number}")
    time.sleep(number % 11 / 1000)
    if number % 10 == 0 and current_task().attempt == 1:
        raise ValueError(f"{number} fails at first")
    return bytes(size_of(number))


def measure(parts: list[bytes]) -> int:
    return sum(map(len, parts))


async def soak(path: str, first: int) -> Counter[str]:
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    counts: Counter[str] = Counter()
    async with TaskQueue(path, default_result_timeout=120.0) as queue:
        while not over.is_set():
            counts += await one_batch(queue, range(first, first + BATCH))
            first += BATCH
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(over.wait(), REST)
    return counts


async def one_batch(queue: TaskQueue, numbers: range) -> Counter[str]:
    bound = queue.options(retry=3, retention=RETENTION)
    handles = await bound.enqueue_many(work, [(number,) for number in numbers])
    total = await bound.enqueue(measure, handles)
    values = [await handle for handle in handles]
    assert list(map(len, values)) == list(map(size_of, numbers))
    assert await total == sum(map(len, values))
    return sum([await ending_of(queue, handle) for handle in [*handles, total]], Counter())


async def ending_of(queue: TaskQueue, handle: TaskHandle) -> Counter[str]:
    """Count the attempts of a task, whose last one and no other must have succeeded."""
    *earlier, last = await queue.attempts(handle)
    causes = Counter(attempt.cause for attempt in earlier)
    assert last.cause is Cause.SUCCESS, last
    assert not set(causes) - {Cause.ERROR, Cause.LOST}, earlier
    assert await handle.status() is TaskStatus.SUCCESS
    return Counter(tasks=1, lost=causes[Cause.LOST], failed=causes[Cause.ERROR])


print(json.dumps(asyncio.run(soak(sys.argv[1], int(sys.argv[2])))))
