"""What tests of code that enqueues need: a store that is thrown away, workers that end by themselves, a clock to set.

For pytest, `pytest_plugins = ["sitq.testing"]` in a conftest.py gives the fixture `task_queue`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from sitq.backends.sqlite import MemoryBackend
from sitq.core import Task
from sitq.queue import TaskQueue
from sitq.serialization import Serializer
from sitq.sync import SyncTaskQueue
from sitq.validation import not_negative
from sitq.worker import Worker

try:
    import pytest_asyncio
except ImportError:
    pass  # who does not test with pytest needs no fixture
else:

    @pytest_asyncio.fixture
    async def task_queue(tmp_path: Path) -> AsyncIterator[TaskQueue]:
        """A queue on a file of the test's own, whose waits end after ten seconds."""
        async with TaskQueue(tmp_path / "tasks.db", default_result_timeout=10.0) as queue:
            yield queue


class Clock:
    """Seconds since the epoch that go on by themselves and can be set forward: `SQLiteBackend(path, clock=clock)`.

    It decides when an eta, a delay, a back-off, an expiry or a retention is over. Whoever waits notices within a fifth
    of a second.
    """

    def __init__(self) -> None:
        self._ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        """Set the clock forward.

        Raises:
            ValidationError: `seconds` is negative.
        """
        self._ahead += not_negative("seconds", seconds)


async def run_until_empty(queue: TaskQueue, *, timeout: float = 10.0, **options: Any) -> None:
    """Run all that is due in a queue's store, here and now.

    Args:
        timeout: seconds after which it gives up.
        options: of the `Worker`.

    Raises:
        TimeoutError: the time is up.
    """
    worker = Worker(queue.backend, options.pop("serializer", queue.serializer), **options)
    await queue.connect()
    await worker.run_until_empty(timeout)


def run_until_empty_sync(queue: SyncTaskQueue, *, timeout: float = 10.0, **options: Any) -> None:
    """Do what `run_until_empty` does, for blocking code."""
    queue.connect()
    worker = Worker(queue.backend.twin(), options.pop("serializer", queue.serializer), **options)
    asyncio.run(worker.run_until_empty(timeout))


class EagerBackend(MemoryBackend):
    """A store in memory that runs what is due as soon as it is stored: `TaskQueue(EagerBackend())` needs no worker.

    Calls still travel through the serializer, failures become results, and what is scheduled stays so. What a task
    enqueues runs too, before the first enqueue returns.

    Args:
        serializer: reads what the queue's serializer writes.
    """

    def __init__(self, serializer: Serializer | None = None, **options: Any) -> None:
        super().__init__("", **options)  # the store that `:memory:` names, for tasks that enqueue into it
        self._serializer = serializer
        self._runs = False

    async def enqueue(self, tasks_: Sequence[Task]) -> list[str]:
        ids = await super().enqueue(tasks_)
        if not self._runs:
            self._runs = True
            try:
                await Worker(self, self._serializer).run_until_empty()
            finally:
                self._runs = False
        return ids
