"""The stores that the contract suite runs against; a new one is added to `STORES`, and done when the suite passes."""

import secrets
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from uuid import uuid4

import pytest
from servers import Servers
from servers.postgres import emptied_schema

from contract.builders import register
from sitq.backends.base import Backend
from sitq.backends.nats import NATSBackend
from sitq.backends.postgres import PostgresBackend
from sitq.backends.redis import RedisBackend
from sitq.backends.sqlite import MemoryBackend, SQLiteBackend
from sitq.core import WorkerInfo

# Each makes an empty store, of its own in the folder or under a name of its own on a server.
STORES: dict[str, Callable[[Path, Servers], Backend]] = {
    "sqlite": lambda folder, servers: SQLiteBackend(folder / "tasks.db"),
    "memory": lambda folder, servers: MemoryBackend(),
    "postgres": lambda folder, servers: PostgresBackend(emptied_schema(servers.url("postgres"))),
    "redis": lambda folder, servers: RedisBackend(servers.url("redis"), prefix=uuid4().hex),
    "nats": lambda folder, servers: NATSBackend(f"{servers.url('nats')}?prefix={secrets.token_hex(8)}"),
}


@pytest.fixture(params=STORES)
async def backend(request: pytest.FixtureRequest, tmp_path: Path, servers: Servers) -> AsyncIterator[Backend]:
    """A connected backend on an empty store."""
    async with STORES[request.param](tmp_path, servers) as backend:
        yield backend


@pytest.fixture
async def twin(backend: Backend) -> AsyncIterator[Backend]:
    """A second, independent backend on the same store."""
    async with backend.twin() as twin:
        yield twin


@pytest.fixture
async def worker(backend: Backend) -> WorkerInfo:
    """A registered worker that serves all lanes."""
    return await register(backend)


@pytest.fixture
async def other(backend: Backend) -> WorkerInfo:
    """Another registered worker, to take what the first one loses."""
    return await register(backend)
