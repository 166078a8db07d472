"""One SQLite connection on aiosqlite's thread, where a whole transaction costs one hop, and a small one none."""

import asyncio
import contextlib
import os
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import aiosqlite

from sitq.backends.sqlite import hop, schema
from sitq.backends.sqlite.errors import UNREADABLE, is_busy, meaning_of
from sitq.backends.sqlite.files import StoreFile, deleted_error
from sitq.exceptions import BackendError, StoreBusyError

T = TypeVar("T")

_TICK = 0.001
_YIELD = 50e-6
_OPENING_YIELD = 1e-3  # opening hands over between three threads many times
# Calls on the loop's own thread before one goes through the database thread, which then takes the checkpoint.
_CALLS_HERE = 64
_IDENTITY_INTERVAL = 1.0
_PRAGMAS = ("temp_store = memory", "cache_size = -16000", "secure_delete = off", "journal_size_limit = 67108864")


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
        clock: tells seconds since the epoch.
    """

    def __init__(
        self,
        file: StoreFile,
        *,
        durability: str,
        query_only: bool = False,
        lock_timeout: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.file = file
        self.clock = clock
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
        self.identity: tuple[int, int] | None = None
        self._identity_checked = 0.0

    async def open(self, *, create: bool = False) -> None:
        """Connect, make sure that the file is this version's store, and set the pragmas.

        Args:
            create: make or migrate the schema if need be.

        Raises:
            ConnectionError: the file cannot be opened.
            BackendError: the file is not a store of this version; it was left as it is.
        """
        self._loop = asyncio.get_running_loop()
        with self._giving_way(_OPENING_YIELD):
            self._db = await hop.connect(self.file.uri, self.file.path)
        self.identity = self.file.identity()
        try:
            await self.call(self._prepare, create)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        db, self._db, self._raw = self._db, None, None
        if db is not None and self._pid == os.getpid():
            with self._giving_way():
                await hop.to_the_end(db.close())

    def abandon(self) -> None:
        """Let go without waiting, when the loop that opened it has ended or in a forked child."""
        db, self._db, self._raw = self._db, None, None
        if db is not None:
            hop.abandon(db, self._pid)

    async def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run `function(raw, *arguments)` on the connection's thread and return what it returns.

        Once begun it is not abandoned: a cancelled caller leaves only after the call has ended, since an answer that
        arrives after the loop has closed would end aiosqlite's thread.

        Raises:
            BackendError: SQLite failed, or the connection belongs to another process.
            ResourceExhaustionError: the disk is full.
        """
        db = self._checked()
        self._calls_here = 0
        try:
            with self._giving_way():
                return await hop.hop(db, self._on_thread, function, arguments)
        except asyncio.CancelledError:
            await self._settle(db)
            raise
        except (sqlite3.Error, *UNREADABLE) as exc:
            meaning = meaning_of(exc, self.file.path)
            if meaning is exc:
                raise
            raise meaning from exc

    @property
    def idle(self) -> bool:
        """A small call may run on the loop's own thread now: nothing is in flight, and a commit waits for no disk."""
        return not self._in_flight and self._raw is not None and self._calls_here < _CALLS_HERE

    @property
    def may_wait(self) -> bool:
        """What runs on the connection now runs on its own thread, and may wait for a lock."""
        return not self._here

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
        except (sqlite3.Error, *UNREADABLE) as exc:
            meaning = meaning_of(exc, self.file.path)
            if meaning is exc:
                raise
            raise meaning from exc
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
            if self.file.identity() != self.identity:
                raise deleted_error(self.file.path)

    def _checked(self) -> aiosqlite.Connection:
        if self._db is None:
            raise BackendError(f"{self.file.path} is not open; connect() first")
        return self._db

    def _on_thread(self, raw: sqlite3.Connection, function: Callable[..., T], arguments: tuple[Any, ...]) -> T:
        if self._here:
            self._here = False
            raw.execute("pragma wal_autocheckpoint = 1000")
        with self._guard:
            return function(raw, *arguments)

    def _prepare(self, raw: sqlite3.Connection, create: bool) -> None:
        """Bring a new connection and its file up, again and again while others do the same."""
        raw.execute("pragma busy_timeout = 0")
        self.patiently(lambda: self._configure(raw, create))
        if self._durability == "normal" and not self.file.shared and not self._query_only:
            self._raw = raw

    def _configure(self, raw: sqlite3.Connection, create: bool) -> None:
        outdated = schema.needs_migration(raw, self.file.path, create=create)
        full = self._durability == "full" or self.file.shared
        if not self._query_only:
            raw.execute(f"pragma journal_mode = {'delete' if self.file.shared else 'wal'}")
        for pragma in _PRAGMAS:
            raw.execute(f"pragma {pragma}")
        raw.execute(f"pragma synchronous = {'full' if full else 'normal'}")
        raw.execute(f"pragma fullfsync = {int(full)}")
        if outdated:
            self._migrate(raw)
        raw.execute(f"pragma query_only = {int(self._query_only)}")

    def _migrate(self, raw: sqlite3.Connection) -> None:
        raw.execute("begin immediate")
        try:
            schema.migrate(raw, self.file.path)
            self.commit(raw)
        finally:
            if raw.in_transaction:
                raw.execute("rollback")

    def _retry(self, raw: sqlite3.Connection, statement: str) -> None:
        try:
            raw.execute(statement)
        except sqlite3.OperationalError as exc:
            if not is_busy(exc):
                raise
            if self._here:
                raise LockTakenError from exc
            self.patiently(lambda: raw.execute(statement))

    def patiently(self, step: Callable[[], T]) -> T:
        """Do something, again and again until no lock is in its way, on the connection's thread.

        Raises:
            StoreBusyError: the lock was not free within the lock timeout.
        """
        deadline = time.monotonic() + self._lock_timeout
        longest = 0.0001
        while True:
            try:
                return step()
            except sqlite3.OperationalError as exc:
                if not is_busy(exc):
                    raise
                if self._hurry or time.monotonic() > deadline:
                    raise StoreBusyError(
                        f"{self.file.path} has been locked by another program for {self._lock_timeout:g} s; "
                        "close that program's transaction"
                    ) from exc
            time.sleep(random.uniform(0.00002, longest))
            longest = min(longest * 1.5, 0.002)

    @contextlib.contextmanager
    def _giving_way(self, pause: float = _YIELD) -> Iterator[None]:
        """Give the database thread a chance at the GIL now and then while it has work.

        A loop that is busy in slices of 0.5 ms takes the GIL back before the thread's forced-switch clock runs out:
        without these pauses a call was delayed by 3.5 s, with them by 4 ms.
        """
        self._in_flight += 1
        if self._timer is None:
            self._timer = self._loop.call_later(_TICK, self._let_thread_run, pause)
        try:
            yield
        finally:
            self._in_flight -= 1
            if not self._in_flight and self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def _let_thread_run(self, pause: float) -> None:
        time.sleep(pause)
        self._timer = self._loop.call_later(_TICK, self._let_thread_run, pause)

    async def _settle(self, db: aiosqlite.Connection) -> None:
        """Wait until the thread has ended what it was given."""
        self._hurry = True
        try:
            with self._giving_way():
                await hop.settle(db)
        finally:
            self._hurry = False
