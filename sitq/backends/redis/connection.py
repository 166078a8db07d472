"""One connection to a Redis server, made again when it was lost, over which the store's functions are called."""

import asyncio
import contextlib
import re
import time
from collections.abc import Iterator
from typing import Any, NoReturn, Protocol

import hiredis
from redis import exceptions as driver
from redis.asyncio import ConnectionPool

from sitq.backends.redis.address import Address
from sitq.backends.redis.errors import lost, refused_login, store_error
from sitq.backends.redis.library import library
from sitq.backends.redis.server import check_server
from sitq.backends.redis.words import Word
from sitq.exceptions import ConnectionError, StoreBusyError

_GONE = (driver.ConnectionError, driver.TimeoutError, OSError, EOFError)
_MOVED = re.compile(r"(?:MOVED )?\d+ (\S+):(\d+)")
_FRESH = 1.0  # seconds after an answer in which a connection is taken to hold
_MOVES = 3  # times that a cluster may send us on, for one command


class _Link(Protocol):
    """What we use of the driver's connection, whose own methods have no types."""

    async def connect(self) -> None: ...
    async def disconnect(self, nowait: bool = False) -> None: ...
    async def send_packed_command(self, command: bytes, check_health: bool = True) -> None: ...
    async def read_response(self, *, timeout: float | None = None) -> Any: ...


class Connection:
    """Sends one command at a time and reads its answer.

    The driver's client would take a connection from its pool for each, and do half of them again after it was lost.

    Args:
        timeout: seconds to wait for a connection, and for an answer.
    """

    def __init__(self, address: Address, *, timeout: float) -> None:
        self._address = address
        self._timeout = timeout
        self._pool = ConnectionPool.from_url(
            address.url,
            protocol=2,
            decode_responses=False,
            socket_timeout=None,  # the driver would make a task for each command; ours covers sending and reading
            socket_connect_timeout=timeout,
        )
        self._link: _Link | None = None
        self._lock = asyncio.Lock()
        self._answered_at = 0.0
        self.lost_answers = 0  # to commands that were sent, so that they may have been done

    @property
    def shown(self) -> str:
        return self._address.shown

    async def open(self) -> None:
        """Connect, unless it is connected.

        Raises:
            ConnectionError: the server cannot be reached, or refuses the login.
            ConfigurationError: it is too old.
        """
        async with self._lock:
            await self._ensure_link()

    async def close(self) -> None:
        """Let go of the server, also when the loop that it was reached on has ended."""
        link, self._link = self._link, None
        if link is not None:
            with contextlib.suppress(*_GONE, RuntimeError):
                await link.disconnect()

    async def _drop(self) -> None:
        """Let go of a connection that does not hold, or whose next answer would be another one's."""
        link, self._link = self._link, None
        if link is not None:
            with contextlib.suppress(*_GONE):
                await link.disconnect(nowait=True)

    async def run(self, verb: str, *arguments: Word, again: bool = True) -> Any:
        """Call the function of a verb and return its answer.

        Args:
            again: doing it twice is doing it once, so that it is sent again when the connection was lost.

        Raises:
            ConnectionError: the server went away; what was asked may have been done.
            BackendError: it refused.
        """
        words = ("FCALL", library().function(verb), 1, self._address.base, *arguments)
        try:
            return await self.command(*words, again=again)
        except _FunctionMissingError:
            await self.command("FUNCTION", "LOAD", "REPLACE", library().text)
            return await self.command(*words, again=again)

    async def command(self, *words: Word, again: bool = True) -> Any:
        """Send one command and return its answer. Arguments and errors are those of `run`."""
        async with self._lock:
            was_open = self._link is not None
            if was_open and not again and time.monotonic() - self._answered_at > _FRESH:
                with contextlib.suppress(ConnectionError):
                    await self._ask("PING")  # it may have been lost long ago
            try:
                return await self._ask(*words)
            except ConnectionError:
                if not (was_open and again):
                    raise
            return await self._ask(*words)

    async def next_message(self, patience: float) -> Any:
        """Wait for what the server sends by itself; None after `patience` seconds without."""
        assert self._link is not None
        with self._trouble():
            return await self._link.read_response(timeout=patience)

    async def tell(self, *words: Word) -> None:
        """Send a command whose answer comes as a message."""
        assert self._link is not None
        with self._trouble():
            await self._link.send_packed_command(_packed(words), check_health=False)

    async def _ask(self, *words: Word) -> Any:
        for _ in range(_MOVES):
            link = await self._ensure_link()
            try:
                with self._trouble():
                    async with asyncio.timeout(self._timeout):
                        answer = await _answer(link, *words)
                self._answered_at = time.monotonic()
                return answer
            except _MovedError as exc:
                await self._go_to(exc.host, exc.port)
            except (ConnectionError, asyncio.CancelledError):
                self.lost_answers += 1
                await self._drop()
                raise
        raise StoreBusyError(f"{self.shown} is a cluster that sends this store from node to node; try again")

    async def _ensure_link(self) -> _Link:
        if self._link is None:
            link: _Link = self._pool.make_connection()  # type: ignore[no-untyped-call]
            try:
                with self._trouble():
                    async with asyncio.timeout(self._timeout):
                        await link.connect()
                        await self._meet(link)
            except BaseException:
                with contextlib.suppress(*_GONE):
                    await link.disconnect(nowait=True)
                raise
            self._link = link
        return self._link

    async def _meet(self, link: _Link) -> None:
        """Learn what the server is. What it does not permit to ask is taken to be fine."""
        info, saves = b"", None
        with contextlib.suppress(driver.ResponseError):
            info = await _answer(link, "INFO")
        with contextlib.suppress(driver.ResponseError):
            saves = (await _answer(link, "CONFIG", "GET", "save"))[1]
        check_server(info, saves, self.shown)

    async def _go_to(self, host: str, port: int) -> None:
        """Follow a cluster to the node that holds the store."""
        await self.close()
        kwargs = {**self._pool.connection_kwargs, "host": host, "port": port}
        self._pool = ConnectionPool(connection_class=self._pool.connection_class, **kwargs)

    @contextlib.contextmanager
    def _trouble(self) -> Iterator[None]:
        """Say what the driver's errors mean."""
        try:
            yield
        except (driver.AuthenticationError, driver.AuthenticationWrongNumberOfArgsError) as exc:
            raise refused_login(self.shown, exc) from exc
        except driver.BusyLoadingError as exc:
            raise store_error(self.shown, exc) from exc
        except _GONE as exc:
            raise lost(self.shown, exc) from exc
        except driver.ResponseError as exc:
            _raise_reply(self.shown, exc)


def _packed(words: tuple[Word, ...]) -> bytes:
    packed: bytes = hiredis.pack_command(words)  # type: ignore[arg-type]  # its stub knows tuples of one word only
    return packed


async def _answer(link: _Link, *words: Word) -> Any:
    await link.send_packed_command(_packed(words), check_health=False)
    return await link.read_response()


class _FunctionMissingError(Exception):
    """The server does not know the library, or another version's alone."""


class _MovedError(Exception):
    """The store is on another node of the cluster."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)
        self.host, self.port = host, port


def _raise_reply(shown: str, exc: driver.ResponseError) -> NoReturn:
    if "Function not found" in str(exc):
        raise _FunctionMissingError from exc
    moved = _MOVED.fullmatch(str(exc))
    if moved is not None:
        raise _MovedError(moved[1], int(moved[2])) from exc
    raise store_error(shown, exc) from exc
