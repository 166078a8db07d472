"""Stores tasks inside the transaction that is open on a connection of the caller's own."""

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import aiosqlite

from sitq.backends.sqlite import tasks as verbs
from sitq.backends.sqlite.errors import store_error
from sitq.backends.sqlite.writer import CollisionError, Transaction
from sitq.core import Task
from sitq.exceptions import ValidationError


async def enqueue_on(connection: object, path: str, clock: Callable[[], float], tasks: Sequence[Task]) -> list[str]:
    """Store tasks through a connection of `sqlite3` or aiosqlite to the store's own file.

    Raises:
        ValidationError: it is no such connection, leads elsewhere, or has no transaction open and opens none by itself.
    """
    if isinstance(connection, sqlite3.Connection):
        return _enqueue(connection, path, clock, tasks)
    if isinstance(connection, aiosqlite.Connection):
        # Its public methods are one statement each; these must not be parted by others of the same connection.
        call = cast(Any, connection._execute)
        return cast(list[str], await call(_enqueue, connection._conn, path, clock, tasks))
    kind = type(connection)
    raise ValidationError(f"connection must be one of sqlite3 or aiosqlite, got {kind.__module__}.{kind.__qualname__}")


def _enqueue(raw: sqlite3.Connection, path: str, clock: Callable[[], float], tasks: Sequence[Task]) -> list[str]:
    with _as_we_read(raw):
        try:
            _check(raw, path)
            if not raw.in_transaction:
                raw.execute("begin immediate")
            try:
                return _enqueue_whole(raw, clock, tasks, careful=False)
            except CollisionError:
                return _enqueue_whole(raw, clock, tasks, careful=True)
        except sqlite3.Error as exc:
            raise store_error(exc, path) from exc


@contextmanager
def _as_we_read(raw: sqlite3.Connection) -> Iterator[None]:
    """Have rows as tuples and text as str, whatever the caller has chosen for its own reading."""
    rows, text = raw.row_factory, raw.text_factory
    raw.row_factory, raw.text_factory = None, str
    try:
        yield
    finally:
        raw.row_factory, raw.text_factory = rows, text


def _check(raw: sqlite3.Connection, path: str) -> None:
    opened = next((file for _, name, file in raw.execute("pragma database_list") if name == "main"), "")
    if not opened or not os.path.exists(path) or not os.path.samefile(opened, path):
        raise ValidationError(f"connection must lead to the store {path}, it leads to {opened or 'no file'}")
    if not raw.in_transaction and raw.isolation_level is None:
        raise ValidationError("connection has no transaction open, and would commit at once; begin one first")


def _enqueue_whole(
    raw: sqlite3.Connection, clock: Callable[[], float], tasks: Sequence[Task], *, careful: bool
) -> list[str]:
    """Store all or none of the tasks, and leave what the caller did before as it is."""
    raw.execute("savepoint sitq")
    try:
        transaction = Transaction(_Borrowed(clock), raw, careful=careful)
        (ids,) = verbs.enqueue(transaction, (tasks,))
        transaction.commit()
    except BaseException:
        raw.execute("rollback to sitq")
        raise
    finally:
        raw.execute("release sitq")
    return ids


class _Borrowed:
    """A connection whose transaction its owner begins and ends."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock

    def begin(self, raw: sqlite3.Connection) -> None: ...
    def commit(self, raw: sqlite3.Connection) -> None: ...
