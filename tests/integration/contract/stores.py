"""The stores that the contract suite runs against; a new one is added to `STORES`, and done when the suite passes."""

import secrets
from collections.abc import Callable
from pathlib import Path
from pkgutil import resolve_name
from uuid import uuid4

import pytest
from servers import Servers
from servers.postgres import emptied_schema

from sitq.backends.base import Backend
from sitq.backends.nats import NATSBackend
from sitq.backends.postgres import PostgresBackend
from sitq.backends.redis import RedisBackend
from sitq.backends.sqlite import MemoryBackend, SQLiteBackend

# Makes an empty store, of its own in the folder or under a name of its own on a server.
MakeStore = Callable[[Path, Servers], Backend]

STORES: dict[str, MakeStore] = {
    "sqlite": lambda folder, servers: SQLiteBackend(folder / "tasks.db"),
    "memory": lambda folder, servers: MemoryBackend(),
    "postgres": lambda folder, servers: PostgresBackend(emptied_schema(servers.url("postgres"))),
    "redis": lambda folder, servers: RedisBackend(servers.url("redis"), prefix=uuid4().hex),
    "nats": lambda folder, servers: NATSBackend(f"{servers.url('nats')}?prefix={secrets.token_hex(8)}"),
}


def chosen_stores(place: str | None) -> dict[str, MakeStore]:
    """Choose what the suite runs against: the store that a factory makes, or all of ours.

    Args:
        place: of the factory, as in "module:factory".
    """
    if place is None:
        return STORES
    module, _, name = place.partition(":")
    try:
        factory = resolve_name(place)
    except (ImportError, AttributeError, ValueError) as exc:
        raise pytest.UsageError(f"--store must name a factory as MODULE:FACTORY, got {place} ({exc})") from exc
    return {name or module: lambda folder, servers: factory()}
