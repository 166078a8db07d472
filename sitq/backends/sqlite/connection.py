"""One SQLite connection on aiosqlite's thread, where a whole transaction costs one hop, and a small one none."""

import asyncio
import os
import random
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

import aiosqlite

from sitq.backends.sqlite.files import StoreFile, deleted_error
from sitq.exceptions import BackendError, ConnectionError, ResourceExhaustionError, SitqError, StoreBusyError

T = TypeVar("T")

_CALL: Final = "--sitq:call"  # a comment: harmless if it ever reached SQLite
_TICK = 0.001
_YIELD = 50e-6
# Calls on the loop's own thread before one goes through the database thread, which then takes the checkpoint.
_CALLS_HERE = 64
_IDENTITY_INTERVAL = 1.0


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


_memory_guard = threading.Lock()


class LockTakenError(Exception):
    """Another connection holds the write lock, and the caller's thread must not wait for it."""


class Connection:
    """Opens a store's file and calls functions with the raw connection, one at a time, each in one hop.

    Args:
        file: where the store is.
        durability: "normal" or "full", see `SQLiteBackend`.
        query_only: refuse to write.
        lock_timeout: seconds to try for the write lock before giving up.
    """

    def __init__(self, file: StoreFile, *, durability: str, query_only: bool = False, lock_timeout: float) -> None:
        self.file = file
        self._durability = durability
        self._query_only = query_only
        self._lock_timeout = lock_timeout
        self._db: aiosqlite.Connection | None = None
        self._pid = os.getpid()
        self._in_flight = 0
        self._timer: asyncio.TimerHandle | None = None
        self._hurry = False
        self._raw: sqlite3.Connection | None = None
        self._calls_here = 0
        self._here = False
        # Connections to a database in memory cannot read beside a writer: in one process a lock makes them take turns.
        self._guard = _memory_guard if file.in_memory else threading.Lock()
        self._identity: tuple[int, int] | None = None
        self._identity_checked = 0.0

    async def open(self, prepare: Callable[[sqlite3.Connection], None] | None = None) -> None:
        """Connect, set the pragmas and call `prepare` with the raw connection.

        Raises:
            ConnectionError: the file cannot be opened.
            BackendError: what `prepare` raises, or the file is not a database.
        """
        self._loop = asyncio.get_running_loop()
        try:
            self._db = await aiosqlite.connect(
                self.file.uri,
                uri=True,
                isolation_level=None,
                factory=_CallingConnection,
                cached_statements=256,
                check_same_thread=False,
            )
        except sqlite3.Error as exc:
            raise ConnectionError(f"{self.file.path} cannot be opened: {exc}") from exc
        _close_at_exit(self._db)
        self._identity = self.file.identity()
        try:
            await self.call(self._configure, prepare)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        db, self._db, self._raw = self._db, None, None
        if db is not None and self._pid == os.getpid():
            await db.close()

    def abandon(self) -> None:
        """Stop the thread without waiting for it, when the loop that opened it has ended.

        In a forked child there is no such thread, and closing the inherited connection would drop the parent's locks:
        it is kept untouched until the child ends.
        """
        db, self._db, self._raw = self._db, None, None
        if db is None:
            return
        if self._pid == os.getpid():
            db.stop()
        else:
            _inherited.append(db)

    async def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run `function(raw, *arguments)` on the connection's thread and return what it returns.

        Once begun it is not abandoned: a cancelled caller leaves only after the call has ended, since an answer that
        arrives after the loop has closed would end aiosqlite's thread.

        Raises:
            BackendError: SQLite failed, or the connection belongs to another process.
            ResourceExhaustionError: the disk is full.
        """
        db = self._checked()
        self._in_flight += 1
        if self._timer is None:
            self._timer = self._loop.call_later(_TICK, self._let_thread_run)
        self._calls_here = 0
        try:
            answer = await db.execute_fetchall(_CALL, cast(Any, (self._on_thread, (function, arguments))))
            return cast(T, answer)
        except asyncio.CancelledError:
            await self._settle(db)
            raise
        except sqlite3.Error as exc:
            raise store_error(exc, self.file.path) from exc
        finally:
            self._in_flight -= 1
            if not self._in_flight and self._timer is not None:
                self._timer.cancel()
                self._timer = None

    @property
    def idle(self) -> bool:
        """A small call may run on the loop's own thread now: nothing is in flight, and a commit waits for no disk."""
        return not self._in_flight and self._raw is not None and self._calls_here < _CALLS_HERE

    def call_here(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run `function(raw, *arguments)` on the loop's own thread, when `idle`.

        A hop costs 55 µs where the insert of one row costs 45. The commit only writes to the page cache here: every
        64th call takes the hop, and with it the checkpoint, which waits for the disk.

        Raises:
            LockTakenError: another connection is writing; nothing was done.
        """
        self._checked()
        assert self._raw is not None
        self._calls_here += 1
        if not self._guard.acquire(blocking=False):
            raise LockTakenError
        try:
            if not self._here:
                self._here = True
                self._raw.execute("pragma wal_autocheckpoint = 0")
            return function(self._raw, *arguments)
        except sqlite3.Error as exc:
            raise store_error(exc, self.file.path) from exc
        finally:
            self._guard.release()

    def begin(self, raw: sqlite3.Connection) -> None:
        """Take the write lock, on the connection's thread.

        SQLite's own busy handler sleeps up to 100 ms and starved one of four writers completely. Ours sleeps a random
        time of at most 2 ms, so that the slowest of four got 0.7 to 0.8 of an equal share.
        """
        self._retry(raw, "begin immediate")

    def commit(self, raw: sqlite3.Connection) -> None:
        """Commit, on the connection's thread. With a rollback journal a reader can make it wait."""
        self._retry(raw, "commit")

    def check_identity(self) -> None:
        """Notice, at most once a second, that the file was deleted or replaced: SQLite itself goes on as if not.

        Raises:
            BackendError: the path no longer leads to the file that was opened.
        """
        now = time.monotonic()
        if now - self._identity_checked > _IDENTITY_INTERVAL:
            self._identity_checked = now
            if self.file.identity() != self._identity:
                raise deleted_error(self.file.path)

    def _checked(self) -> aiosqlite.Connection:
        if self._pid != os.getpid():
            raise BackendError(
                f"{self.file.path} was opened in process {self._pid} and cannot be used in its forked child "
                f"{os.getpid()}; make a backend in the child"
            )
        if self._db is None:
            raise BackendError(f"{self.file.path} is not open; connect() first")
        return self._db

    def _on_thread(self, raw: sqlite3.Connection, function: Callable[..., T], arguments: tuple[Any, ...]) -> T:
        if self._here:
            self._here = False
            raw.execute("pragma wal_autocheckpoint = 1000")
        with self._guard:
            return function(raw, *arguments)

    def _configure(self, raw: sqlite3.Connection, prepare: Callable[[sqlite3.Connection], None] | None) -> None:
        raw.execute("pragma busy_timeout = 5000")  # journal_mode takes the lock itself, where no retry of ours reaches
        if not self._query_only:
            raw.execute(f"pragma journal_mode = {'delete' if self.file.shared else 'wal'}")
        full = self._durability == "full" or self.file.shared
        raw.execute(f"pragma synchronous = {'full' if full else 'normal'}")
        raw.execute("pragma fullfsync = 1" if full else "pragma fullfsync = 0")
        raw.execute("pragma temp_store = memory")
        raw.execute("pragma cache_size = -16000")
        raw.execute("pragma secure_delete = off")
        raw.execute("pragma journal_size_limit = 67108864")
        if prepare is not None:
            prepare(raw)
        if self._query_only:
            raw.execute("pragma query_only = 1")
        raw.execute("pragma busy_timeout = 0")
        if not full and not self._query_only:
            self._raw = raw

    def _retry(self, raw: sqlite3.Connection, statement: str) -> None:
        try:
            raw.execute(statement)
        except sqlite3.OperationalError as exc:
            if not is_busy(exc):
                raise
            if self._here:
                raise LockTakenError from exc
            self._wait_for_lock(raw, statement)

    def _wait_for_lock(self, raw: sqlite3.Connection, statement: str) -> None:
        deadline = time.monotonic() + self._lock_timeout
        longest = 0.0005
        while True:
            time.sleep(random.uniform(0.0002, longest))
            longest = min(longest * 1.5, 0.002)
            try:
                raw.execute(statement)
                return
            except sqlite3.OperationalError as exc:
                if not is_busy(exc):
                    raise
                if self._hurry or time.monotonic() > deadline:
                    raise StoreBusyError(
                        f"{self.file.path} has been locked by another program for {self._lock_timeout:g} s; "
                        "close that program's transaction"
                    ) from exc

    def _let_thread_run(self) -> None:
        """Give the database thread a chance at the GIL while it has work.

        A loop that is busy in slices of 0.5 ms takes the GIL back before the thread's forced-switch clock runs out:
        without this pause a call was delayed by 3.5 s, with it by 4 ms.
        """
        time.sleep(_YIELD)
        self._timer = self._loop.call_later(_TICK, self._let_thread_run)

    async def _settle(self, db: aiosqlite.Connection) -> None:
        """Wait until the thread has ended what it was given, however often the waiter is cancelled."""
        self._hurry = True
        last = asyncio.ensure_future(db.execute_fetchall(_CALL, cast(Any, (_nothing, ()))))
        while not last.done():
            try:
                await asyncio.shield(last)
            except asyncio.CancelledError:
                continue
        self._hurry = False


def _nothing(raw: sqlite3.Connection) -> None:
    """End the queue of calls before it."""


def is_busy(exc: BaseException) -> bool:
    """Tell a lock that may be free a moment later from other trouble."""
    return getattr(exc, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def is_store_trouble(exc: BaseException) -> bool:
    """Tell trouble of the whole store, which no retry of one operation alone can cure."""
    if isinstance(exc, BackendError):
        return True
    return isinstance(exc, sqlite3.Error) and getattr(exc, "sqlite_errorcode", 0) & 0xFF in _STORE_TROUBLE


_STORE_TROUBLE = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
)

_PASSING = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR)

_MEANING = {
    sqlite3.SQLITE_BUSY: "is locked by another program",
    sqlite3.SQLITE_LOCKED: "is locked by another connection",
    sqlite3.SQLITE_IOERR: "cannot be read or written by the operating system",
    sqlite3.SQLITE_READONLY: "is read-only; make the file and its folder writable",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; the file and its folder must be writable",
    sqlite3.SQLITE_CORRUPT: "is damaged; stop all workers and run `sqlite3 FILE .recover` on a copy",
    sqlite3.SQLITE_NOTADB: "is not a SQLite database and was left as it is; name another file",
}


def store_error(exc: sqlite3.Error, path: str) -> SitqError:
    """Say in one line what an error of SQLite means for the store."""
    code = getattr(exc, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return ResourceExhaustionError(
            f"no space left on the disk of {path}; nothing was stored, free some and try again"
        )
    if code == sqlite3.SQLITE_TOOBIG or "too big" in str(exc):
        return ResourceExhaustionError(f"a value is larger than {path} can hold; keep it in a file and pass the path")
    kind = StoreBusyError if code in _PASSING else BackendError
    return kind(f"{path} {_MEANING.get(code, 'failed')} ({exc})")


_open_connections: "weakref.WeakSet[aiosqlite.Connection]" = weakref.WeakSet()
_inherited: list[aiosqlite.Connection] = []
_exit_guard: threading.Thread | None = None


def _close_at_exit(db: aiosqlite.Connection) -> None:
    """Keep an unclosed connection from hanging the interpreter's exit.

    aiosqlite's thread is not a daemon when the main thread opens the connection, and `atexit` comes after threads
    are joined. A daemon thread that waits for the main thread comes in time.
    """
    global _exit_guard
    _open_connections.add(db)
    if _exit_guard is None or not _exit_guard.is_alive():
        _exit_guard = threading.Thread(target=_stop_after_main, name="sitq-exit", daemon=True)
        _exit_guard.start()


def _stop_after_main() -> None:
    threading.main_thread().join()
    for db in list(_open_connections):
        db.stop()
