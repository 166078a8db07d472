"""A queue on the test's store, and a worker that runs what is due when a test asks it to."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from sitq.queue import TaskQueue
from sitq.worker import Worker

Drain = Callable[[], Awaitable[None]]


@pytest.fixture
async def queue(path: Path) -> AsyncIterator[TaskQueue]:
    async with TaskQueue(path) as queue:
        yield queue


@pytest.fixture
def drain(path: Path) -> Drain:
    """Run all that is due, one after the other."""

    async def run() -> None:
        await Worker(path, max_concurrency=1).run_until_empty(timeout=10)

    return run


@pytest.fixture
async def worker(path: Path, queue: TaskQueue) -> AsyncIterator[Worker]:
    """A worker that serves while the test runs."""
    async with Worker(path, grace=0) as worker:
        yield worker
