"""A queue on the test's store, and a worker beside it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sitq.queue import TaskQueue
from sitq.worker import Worker


@pytest.fixture
async def queue(path: Path) -> AsyncIterator[TaskQueue]:
    async with TaskQueue(path, default_result_timeout=10.0) as queue:
        yield queue


@pytest.fixture
async def worker(path: Path, queue: TaskQueue) -> AsyncIterator[Worker]:
    """A worker that serves while the test runs."""
    async with Worker(path, grace=0) as worker:
        yield worker


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """What `hold` and `hold_thread` wait for: a test lets them go with `gate.touch()`."""
    return tmp_path / "gate"
