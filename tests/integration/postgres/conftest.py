"""Stores of their own on the session's server, and a server that a module may stop, start and set up as it likes."""

from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest
from servers import Server, Servers
from servers.postgres import fresh_schema

from sitq import TaskQueue


@pytest.fixture
def url(servers: Servers) -> str:
    """An empty store."""
    return fresh_schema(servers.url("postgres"))


@pytest.fixture
async def queue(url: str) -> AsyncIterator[TaskQueue]:
    async with TaskQueue(url) as queue:
        yield queue


@pytest.fixture
async def plain(servers: Servers) -> AsyncIterator[asyncpg.Connection]:
    """A connection as others have them, which knows nothing of sitq."""
    connection = await asyncpg.connect(servers.url("postgres"))
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
def own_server(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = servers.start("postgres", tmp_path_factory.mktemp("own") / "postgres")
    yield server
    server.stop()
