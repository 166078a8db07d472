"""A store in a file of its own for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from monitor_listener import Listener
from monitor_store import FilledStore

from sitq.backends.sqlite import SQLiteBackend
from sitq_monitor.feed import Feed
from sitq_monitor.view import View


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[FilledStore]:
    path = tmp_path / "tasks.db"
    async with SQLiteBackend(path) as backend:
        yield FilledStore(path, backend)


@pytest.fixture
async def listener(store: FilledStore) -> AsyncIterator[Listener]:
    feed = Feed(store.path, View())
    feed.open()
    yield Listener(feed)
    feed.close()
