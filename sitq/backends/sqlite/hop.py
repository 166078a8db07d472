"""How a whole function reaches aiosqlite's thread in one hop, and how that thread outlives neither loop nor exit."""

import asyncio
import os
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar, cast

import aiosqlite

from sitq.exceptions import ConnectionError

T = TypeVar("T")

_CALL: Final = "--sitq:call"  # a comment: harmless if it ever reached SQLite


class _Answer:
    """Looks like a cursor to aiosqlite and hands on what a call returned."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def fetchall(self) -> Any:
        return self.value


class _CallingConnection(sqlite3.Connection):
    """Runs a function given as the parameter of one private statement.

    aiosqlite's `execute_fetchall` is one hop to its thread. A hop costs 75 to 95 µs, so that a transaction in three
    calls cost 397 µs; given as one function it costs 110 µs.
    """

    def execute(self, sql: str, parameters: Any = (), /) -> Any:
        if sql is _CALL:
            function, arguments = parameters
            return _Answer(function(self, *arguments))
        return super().execute(sql, parameters)


async def hop(db: aiosqlite.Connection, function: Callable[..., T], *arguments: Any) -> T:
    """Run `function(raw, *arguments)` on aiosqlite's thread."""
    return cast(T, await db.execute_fetchall(_CALL, cast(Any, (function, arguments))))


async def settle(db: aiosqlite.Connection) -> None:
    """Wait until the thread has ended all that it was given before."""
    await to_the_end(hop(db, _nothing))


def _nothing(raw: sqlite3.Connection) -> None:
    """End the queue of calls before it."""


async def to_the_end(awaitable: Awaitable[T]) -> T:
    """Await something that must not be abandoned: a cancelled caller leaves only after it has ended.

    An answer that arrives after the loop has closed would end aiosqlite's thread, and whoever waits for it then waits
    for ever.
    """
    work = asyncio.ensure_future(awaitable)
    cancelled: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError as exc:
            cancelled = exc
        except Exception:
            break
    if cancelled is not None:
        work.cancelled() or work.exception()  # what went wrong is of no use to who no longer waits
        raise cancelled
    return work.result()


async def connect(uri: str, path: str) -> aiosqlite.Connection:
    """Connect from a daemon thread, from which aiosqlite's thread inherits being one.

    Otherwise a connection that is not closed hangs the interpreter's exit, which waits for all other threads. The
    short thread has a loop of its own, which the end of this one cannot disturb.

    Raises:
        ConnectionError: the file cannot be opened.
    """
    loop = asyncio.get_running_loop()
    opened: asyncio.Future[aiosqlite.Connection] = loop.create_future()

    def open_on_thread() -> None:
        try:
            db = asyncio.run(_connect(uri))
        except sqlite3.Error as exc:
            error = ConnectionError(f"{path} cannot be opened: {exc}", cause=exc)
            loop.call_soon_threadsafe(opened.set_exception, error)
        else:
            loop.call_soon_threadsafe(opened.set_result, db)

    threading.Thread(target=open_on_thread, name="sitq-connect", daemon=True).start()
    try:
        return await to_the_end(opened)
    except asyncio.CancelledError:
        if opened.done() and not opened.cancelled() and opened.exception() is None:
            _stop(opened.result())
        raise


async def _connect(uri: str) -> aiosqlite.Connection:
    # aiosqlite's thread would answer a failure to the short thread's loop when that has ended: fail before it starts.
    raw = sqlite3.connect(
        uri,
        uri=True,
        isolation_level=None,
        factory=_CallingConnection,
        cached_statements=256,
        check_same_thread=False,
    )
    return await aiosqlite.Connection(lambda: raw, iter_chunk_size=64)


_inherited: list[aiosqlite.Connection] = []


def abandon(db: aiosqlite.Connection, opened_in: int) -> None:
    """Let go of a connection whose loop has ended.

    In a forked child there is no such thread, and closing the inherited connection would drop the parent's locks: it
    is kept untouched until the child ends.

    Args:
        opened_in: pid of the process that opened it.
    """
    if opened_in == os.getpid():
        _stop(db)
    else:
        _inherited.append(db)


def _stop(db: aiosqlite.Connection) -> None:
    """Stop aiosqlite's thread from one without a loop, so that it does not answer a loop that may end meanwhile."""
    threading.Thread(target=db.stop, name="sitq-stop", daemon=True).start()
