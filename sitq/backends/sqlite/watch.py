"""Wakes who waits for a change of a store: at once within the process, by inotify or a poll across processes."""

import asyncio
import ctypes
import errno
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Collection, Iterable
from typing import Protocol

from sitq.backends.sqlite.files import StoreFile
from sitq.backends.waiters import Waiters

# Changes by other processes come with each of their commits; who waits is woken at most this often, in seconds.
_COALESCE = 0.002


class Bell:
    """Wakes the waiters of one backend, on its loop; bells on the same file in one process ring each other.

    Args:
        file: the store's file, already open in this process.
    """

    def __init__(self, file: StoreFile) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiters = Waiters()
        self._key = file.path
        self._rang_at = 0.0
        self._late: asyncio.TimerHandle | None = None
        self._watch = _make_watch(file, self._on_foreign_change)
        with _bells_lock:
            _bells[self._key] = (*_bells.get(self._key, ()), self)

    def close(self) -> None:
        """Let all waiters go and hear no more. Harmless after the loop has ended."""
        with _bells_lock:
            _bells[self._key] = tuple(bell for bell in _bells.get(self._key, ()) if bell is not self)
        if not self._loop.is_closed():
            if self._late is not None:
                self._late.cancel()
            self._watch.disarm()
            self._waiters.wake()
        self._watch.close()

    async def wait(self, keys: Collection[str], *, timeout: float) -> bool:
        """Return True when one of the keys may have changed, False when `timeout` seconds are over.

        Args:
            keys: lanes and task ids; empty means any.
        """
        if self._waiters.has_heard(keys):
            return True
        self._watch.arm()
        try:
            return await self._waiters.wait(keys, timeout=timeout)
        finally:
            if not self._waiters:
                self._watch.disarm()

    def ring(self, keys: Iterable[str]) -> None:
        """Wake all in this process who wait for one of these keys. To be called on the own loop."""
        changed = frozenset(keys)
        for bell in _bells[self._key]:
            if bell is self:
                self._waiters.wake(changed)
            elif not bell._loop.is_closed():
                bell._loop.call_soon_threadsafe(bell._waiters.wake, changed)

    def _on_foreign_change(self) -> None:
        now = time.monotonic()
        if now - self._rang_at >= _COALESCE:
            self._rang_at = now
            self._waiters.wake()
        elif self._late is None:
            self._late = self._loop.call_later(_COALESCE, self._ring_late)

    def _ring_late(self) -> None:
        self._late = None
        self._rang_at = time.monotonic()
        self._waiters.wake()


_bells: dict[str, tuple[Bell, ...]] = {}
_bells_lock = threading.Lock()


class _Watch(Protocol):
    """Calls back on the loop when another process may have committed, while it is armed."""

    def arm(self) -> None: ...
    def disarm(self) -> None: ...
    def close(self) -> None: ...


class _Callback(Protocol):
    def __call__(self) -> None: ...


def _make_watch(file: StoreFile, callback: _Callback) -> _Watch:
    if file.in_memory:
        return _NoWatch()
    if sys.platform == "linux" and not file.shared:
        try:
            return _InotifyWatch(f"{file.path}-wal", callback)
        except OSError:
            pass  # out of watches, or a container without inotify
    return _PollWatch(file, callback)


class _NoWatch:
    """A store in memory has no other processes."""

    def arm(self) -> None: ...
    def disarm(self) -> None: ...
    def close(self) -> None: ...


_IN_MODIFY = 0x2  # inotify(7)


class _InotifyWatch:
    """Hears writes to the write-ahead log: 1.2 ms from another process's enqueue to the claim, nothing while idle."""

    def __init__(self, path: str, callback: _Callback) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._loop = asyncio.get_running_loop()
        self._callback = callback
        self._armed = False
        self._fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        if libc.inotify_add_watch(self._fd, os.fsencode(path), _IN_MODIFY) < 0:
            code = ctypes.get_errno()
            os.close(self._fd)
            raise OSError(code, "inotify_add_watch", path)

    def arm(self) -> None:
        if not self._armed:
            self._armed = True
            self._loop.add_reader(self._fd, self._on_events)

    def disarm(self) -> None:
        # Events go on to gather, but the kernel merges equal ones, so that there is never more than one.
        if self._armed:
            self._armed = False
            self._loop.remove_reader(self._fd)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _on_events(self) -> None:
        try:
            os.read(self._fd, 4096)
        except OSError as exc:
            if exc.errno != errno.EAGAIN:
                self.disarm()
            return
        self._callback()


class _PollWatch:
    """Asks SQLite whether others committed, on a thread of its own: 4 µs a look, 200 then 50 then 20 looks a second."""

    def __init__(self, file: StoreFile, callback: _Callback) -> None:
        self._loop = asyncio.get_running_loop()
        self._callback = callback
        self._file = file
        self._armed = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._poll, name="sitq-watch", daemon=True)
        self._thread.start()

    def arm(self) -> None:
        self._armed.set()

    def disarm(self) -> None:
        self._armed.clear()

    def close(self) -> None:
        self._closed = True
        self._armed.set()

    def _poll(self) -> None:
        try:
            db = sqlite3.connect(self._file.uri, uri=True, isolation_level=None, timeout=1.0)
        except sqlite3.Error:
            return  # the file is gone, as the connections that use it will tell
        seen, changed_at = None, time.monotonic()
        while True:
            self._armed.wait()
            if self._closed:
                break
            try:
                version = db.execute("pragma data_version").fetchone()[0]
            except sqlite3.Error:
                version = None  # what is wrong with the file is told by the connections that use it
            if version != seen:
                seen, changed_at = version, time.monotonic()
                self._report()
            quiet = time.monotonic() - changed_at
            time.sleep(0.005 if quiet < 1 else 0.02 if quiet < 10 else 0.05)
        db.close()

    def _report(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._callback)
        except RuntimeError:
            self._closed = True  # the loop has ended, and with it all who could wait
