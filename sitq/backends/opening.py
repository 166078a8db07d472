"""How a backend holds its store while that is open: on one event loop of one process, and refused anywhere else."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

from sitq.exceptions import BackendError


class Openable(Protocol):
    """What a backend holds: connections that belong to the event loop that opened them."""

    async def close(self) -> None:
        """Let what is under way end, then let go."""

    async def abandon(self, *, forked: bool) -> None:
        """Let go without waiting: the loop has ended, or this is a child of the process that goes on using it."""


Store = TypeVar("Store", bound=Openable)


class Opening(Generic[Store]):
    """Opens a store once, however many ask for it, and anew after its loop has ended or in a forked child.

    Args:
        shown: names the store in errors.
        open_store: connects, on the running loop.
        read_only: refuse what would change the store.
    """

    def __init__(self, shown: str, open_store: Callable[[], Awaitable[Store]], *, read_only: bool = False) -> None:
        self._shown = shown
        self._open_store = open_store
        self._read_only = read_only
        self._store: Store | None = None
        self._lock: asyncio.Lock | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pid = 0

    @property
    def usable(self) -> bool:
        """It is open, the loop that it was opened on still lives, and so does its process."""
        return self._loop is not None and self._pid == os.getpid() and not self._loop.is_closed()

    async def open(self) -> None:
        if self.usable:
            self._check_use()
            return
        await self._let_go()
        self._lock = self._lock or asyncio.Lock()
        async with self._lock:
            if self._store is None:
                self._store = await self._open_store()
                self._loop, self._pid = asyncio.get_running_loop(), os.getpid()

    async def close(self) -> None:
        if not self.usable:
            await self._let_go()
            return
        store = self.store
        self._forget()
        await store.close()

    @property
    def store(self) -> Store:
        """The open store.

        Raises:
            BackendError: it is not open, or not on this event loop of this process.
        """
        if self._store is None:
            raise BackendError(f"{self._shown} is not open; connect() first, or use `async with`")
        self._check_use()
        return self._store

    @property
    def writable(self) -> Store:
        """The open store, to be changed.

        Raises:
            BackendError: as for `store`, and where it is open for reading only.
        """
        store = self.store
        if self._read_only:
            raise BackendError(f"{self._shown} is open for reading only; open it without read_only to change tasks")
        return store

    def _check_use(self) -> None:
        """Refuse a forked child, and a second loop: each would take the other's answers."""
        if self._pid != os.getpid():
            raise BackendError(
                f"{self._shown} was opened in process {self._pid} and cannot be used in its forked child "
                f"{os.getpid()}; make a backend in the child"
            )
        if self._loop is not asyncio.get_running_loop():
            raise BackendError(
                f"{self._shown} is open on another event loop; make one backend for each loop, as twin() does"
            )

    async def _let_go(self) -> None:
        store, forked = self._store, self._pid != os.getpid()
        if store is not None:
            self._forget()
            await store.abandon(forked=forked)

    def _forget(self) -> None:
        self._store = self._lock = self._loop = None
