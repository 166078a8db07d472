"""The store's own connection and writer, and connections of other programs to the same file."""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from sitq.backends.sqlite import SQLiteBackend
from sitq.backends.sqlite.connection import Connection
from sitq.backends.sqlite.files import store_file
from sitq.backends.sqlite.writer import Writer


@pytest.fixture
async def backend(path: Path) -> AsyncIterator[SQLiteBackend]:
    async with SQLiteBackend(path) as backend:
        yield backend


@pytest.fixture
async def connection(path: Path) -> AsyncIterator[Connection]:
    """The store's own connection to a new file."""
    file = store_file(str(path))
    file.prepare(create=True)
    connection = Connection(file, durability="normal", lock_timeout=5.0)
    await connection.open(create=True)
    yield connection
    await connection.close()


@pytest.fixture
def writer(connection: Connection) -> Writer:
    """A writer whose commits nobody waits for."""
    return Writer(connection, lambda wakes, due: None)


@pytest.fixture
def outsider(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection of another program to the same file."""
    outsider = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0.0)
    yield outsider
    outsider.close()
