"""A store of its own for each test, on the server that all share or on one that the test may stop."""

import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from servers import Server, Servers

from sitq.backends.nats import NATSBackend
from sitq.queue import TaskQueue


@pytest.fixture
def url(servers: Servers) -> str:
    """An empty store on the shared server."""
    return f"{servers.url('nats')}?prefix={secrets.token_hex(8)}"


@pytest.fixture
async def backend(url: str) -> AsyncIterator[NATSBackend]:
    async with NATSBackend(url) as backend:
        yield backend


@pytest.fixture
async def queue(url: str) -> AsyncIterator[TaskQueue]:
    async with TaskQueue(url) as queue:
        yield queue


@pytest.fixture
def server(servers: Servers, tmp_path: Path) -> Iterator[Server]:
    """A server of the test's own, which it may stop and start."""
    server = servers.start("nats", tmp_path / "server")
    yield server
    server.stop()
