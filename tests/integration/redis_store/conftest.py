"""Stores on the tests' Redis server, each under a prefix of its own, and servers that a test may stop."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from servers import Server, Servers
from servers.redis import server as make_server

from sitq.backends.redis import RedisBackend


@pytest.fixture
def url(servers: Servers) -> str:
    """Where an empty store is."""
    return f"{servers.url('redis')}?prefix={uuid4().hex}"


@pytest.fixture
async def backend(url: str) -> AsyncIterator[RedisBackend]:
    async with RedisBackend(url) as backend:
        yield backend


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start servers of the test's own, with options of theirs."""
    started: list[Server] = []

    def start(*options: object) -> Server:
        folder = tmp_path / f"server-{len(started)}"
        folder.mkdir()
        started.append(make_server(folder, *options))
        started[-1].start()
        return started[-1]

    yield start
    for server in started:
        server.stop()
