"""An open SQLite store: its connections, and what gathers on its way there."""

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, TypeVar, cast

from sitq.backends.moments import in_microseconds, in_seconds
from sitq.backends.sqlite.claims import ClaimVerbs, Demand
from sitq.backends.sqlite.connection import Connection
from sitq.backends.sqlite.files import StoreFile
from sitq.backends.sqlite.owners import LOOK_INTERVAL, Owners
from sitq.backends.sqlite.watch import Bell
from sitq.backends.sqlite.writer import Writer
from sitq.core import Claim, Outcome

T = TypeVar("T")


class OpenStore:
    """The connections of an open backend; they belong to one event loop of one process."""

    def __init__(self, writer: Connection, bell: Bell, options: dict[str, Any]) -> None:
        self._options = options
        self._writing = writer
        self._reading: Connection | None = writer if writer.file.in_memory or writer.file.read_only else None
        self._reader_lock = asyncio.Lock()
        self._bell = bell
        self._clock = writer.clock
        self._owners = Owners(writer.clock)
        self._exchange = ClaimVerbs(self._owners).exchange
        self._writer = Writer(writer, self._publish)
        self._next_due: int | None = None
        self._loop = asyncio.get_running_loop()

    @classmethod
    async def open(cls, file: StoreFile, *, create: bool, **options: Any) -> "OpenStore":
        file.prepare(create=create)
        writer = Connection(file, query_only=file.read_only, **options)
        await writer.open(create=create)
        return cls(writer, Bell(file), options)

    async def close(self) -> None:
        await self._writer.drain()
        self._bell.close()
        if self._reading is not None and self._reading is not self._writing:
            await self._reading.close()
        await self._writing.close()

    async def abandon(self, *, forked: bool) -> None:
        """Let go of connections whose loop has ended or which another process opened."""
        if not forked:
            self._bell.close()
        self._writing.abandon()
        if self._reading is not None:
            self._reading.abandon()

    async def write(self, verb: Callable[..., Any], request: Any, **rows: int) -> Any:
        return await self._writer.do(verb, request, **rows)

    async def exchange(self, outcomes: Sequence[Outcome], demand: Demand) -> tuple[set[str], list[Claim]]:
        answer = await self.write(self._exchange, (outcomes, demand), rows=len(outcomes) + demand.limit)
        return cast(tuple[set[str], list[Claim]], answer)

    async def read(self, function: Callable[[sqlite3.Connection, Any], T], argument: Any) -> T:
        reader = await self._reader()
        return await reader.call(_read, reader, function, argument)

    async def wait(self, keys: Collection[str], *, timeout: float) -> None:
        """Wait for the bell, for a task to become due, or for another worker's process to die."""
        deadline = self._loop.time() + timeout
        while (left := deadline - self._loop.time()) > 0:
            due = self._next_due  # which another one who waits may have forgotten when this one wakes
            step = min(left, LOOK_INTERVAL, self._seconds_until(due))
            if step <= 0 or await self._bell.wait(keys, timeout=step) or self._owners.notice_death():
                break
            if self._seconds_until(due) <= 0:
                break
        if self._seconds_until(self._next_due) <= 0:
            self._next_due = None

    async def _reader(self) -> Connection:
        """Open the reading connection when it is first needed: a read never waits for a write lock."""
        if self._reading is None:
            async with self._reader_lock:
                if self._reading is None:
                    reader = Connection(self._writing.file, query_only=True, **self._options)
                    await reader.open()
                    reader.identity = self._writing.identity
                    self._reading = reader
        return self._reading

    def _publish(self, wakes: Iterable[str], due: int | None) -> None:
        if due is not None and (self._next_due is None or due < self._next_due):
            self._next_due = due
        self._bell.ring(wakes)

    def now(self) -> int:
        """Microseconds since the epoch."""
        return in_microseconds(self._clock())

    def _seconds_until(self, moment: int | None) -> float:
        return float("inf") if moment is None else in_seconds(moment - self.now())


def _read(
    raw: sqlite3.Connection, reader: Connection, function: Callable[[sqlite3.Connection, Any], T], argument: Any
) -> T:
    reader.check_identity()
    return reader.patiently(lambda: function(raw, argument))  # with a rollback journal a writer can be in the way
