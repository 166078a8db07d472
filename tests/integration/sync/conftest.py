"""A blocking queue on the test's store, and a worker beside it on a thread of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from workers import serving

from sitq.sync import SyncTaskQueue


@pytest.fixture
def queue(path: Path) -> Iterator[SyncTaskQueue]:
    with SyncTaskQueue(path, default_result_timeout=10.0) as queue:
        yield queue


@pytest.fixture
def worker(path: Path) -> Iterator[None]:
    """A worker that serves while the test runs."""
    with serving(path):
        yield
