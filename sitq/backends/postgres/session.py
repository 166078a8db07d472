"""One connection to the server, which is opened again when it was lost."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, TypeVar

import asyncpg

from sitq.backends.postgres.address import Address
from sitq.backends.postgres.errors import is_collision, is_shutting_down, lost, store_error
from sitq.exceptions import BackendError, ConnectionError, SitqError

T = TypeVar("T")
Connection: TypeAlias = Any  # one of asyncpg, which ships no types

_COLLISIONS = 5  # tries of a transaction that others got in the way of
_CLOSE = 2.0  # seconds for a polite end


class Session:
    """Runs one thing at a time on a connection of its own.

    Args:
        on_open: called with each connection that was opened, before anything else uses it.
    """

    def __init__(self, address: Address, on_open: Callable[[Connection], Awaitable[None]] | None = None) -> None:
        self._address = address
        self._on_open = on_open
        self._connection: Connection | None = None
        self._turn = asyncio.Lock()
        self._closed = False

    @property
    def is_open(self) -> bool:
        return self._connection is not None and not self._connection.is_closed()

    async def open(self) -> None:
        """Connect once.

        Raises:
            ConnectionError: the server does not answer, or refuses.
        """
        async with self._turn:
            if not self.is_open:
                self._connection = await self._connect()

    async def close(self) -> None:
        self._closed = True
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed():
            with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError, asyncio.TimeoutError):
                await connection.close(timeout=_CLOSE)

    def abandon(self) -> None:
        """Let go of a connection whose loop has ended."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(RuntimeError, OSError):
                connection.terminate()

    async def call(self, act: Callable[[Connection], Awaitable[T]]) -> T:
        """Run something on the connection, again if another transaction was in its way.

        Raises:
            ConnectionError: the connection was lost, and whether anything was done is not known.
        """
        async with self._turn:
            tries = 0
            while True:
                try:
                    return await self._try(act)
                except asyncpg.PostgresError as exc:
                    tries += 1
                    if tries == _COLLISIONS or not is_collision(exc):
                        raise store_error(exc, self._address) from exc
                await asyncio.sleep(random.uniform(0, 0.01))

    async def repeat(self, act: Callable[[Connection], Awaitable[T]]) -> T:
        """Run something that may run twice: once more where the connection was lost meanwhile."""
        try:
            return await self.call(act)
        except ConnectionError as exc:
            if not exc.transient:
                raise
            return await self.call(act)

    async def _try(self, act: Callable[[Connection], Awaitable[T]]) -> T:
        connection = self._connection
        if self._closed:
            raise BackendError(f"{self._address.shown} was closed; connect() again")
        if connection is None or connection.is_closed():
            connection = self._connection = await self._reconnect()
        return await self._run(act, connection)

    async def _run(self, act: Callable[[Connection], Awaitable[T]], connection: Connection) -> T:
        """Run something, and give the connection up if it was lost.

        Raises:
            PostgresError: the server refused, which may pass when it is tried again.
        """
        try:
            return await act(connection)
        except TimeoutError as exc:
            connection.terminate()  # the answer may still come, and would be taken for that of the next question
            raise lost(self._address, exc) from exc
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as exc:
            if connection.is_closed() or is_shutting_down(exc) or isinstance(exc, OSError):
                connection.terminate()
                raise lost(self._address, exc) from exc
            if isinstance(exc, asyncpg.PostgresError):
                raise
            raise store_error(exc, self._address) from exc

    async def _reconnect(self) -> Connection:
        """Look for a server that went away, less and less often, until the time for that is over."""
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + self._address.reconnect_timeout, 0.05
        while True:
            try:
                return await self._connect()
            except ConnectionError as exc:
                if not exc.transient or loop.time() + pause > deadline:
                    raise
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, 1.0)

    async def _connect(self) -> Connection:
        try:
            connection = await asyncpg.connect(
                self._address.dsn,
                timeout=self._address.command_timeout,  # pyright: ignore[reportArgumentType]  # it takes floats too
                command_timeout=self._address.command_timeout,
            )
        except (TimeoutError, OSError, asyncpg.InternalClientError) as exc:
            raise lost(self._address, exc) from exc
        except (asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as exc:
            raise self._refused(exc) from exc
        try:
            if self._on_open is not None:
                await self._run(self._on_open, connection)
        except BaseException:
            connection.terminate()
            raise
        return connection

    def _refused(self, exc: Exception) -> SitqError:
        if is_shutting_down(exc):
            return lost(self._address, exc)
        error = store_error(exc, self._address)
        return error if type(error) is not BackendError else ConnectionError(error.message, cause=exc)
