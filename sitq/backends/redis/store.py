"""An open Redis store: its connections, and what gathers on its way there."""

import asyncio
from collections.abc import Collection, Sequence

from sitq.backends.batching import Batcher
from sitq.backends.redis import tasks
from sitq.backends.redis.address import Address
from sitq.backends.redis.bell import LANES, Bell
from sitq.backends.redis.claims import ClaimDesk
from sitq.backends.redis.connection import Connection
from sitq.backends.redis.neighbours import LOOK_INTERVAL
from sitq.backends.redis.schedules import Calendar
from sitq.backends.redis.workers import StopRequests
from sitq.backends.refusals import schema_is_newer
from sitq.core import Outcome, Report, Task
from sitq.exceptions import BackendError

SCHEMA_VERSION = 1


class OpenStore:
    """The connections of an open backend; they belong to one event loop of one process."""

    def __init__(self, address: Address, *, timeout: float) -> None:
        self.connection = Connection(address, timeout=timeout)
        self.bell = Bell(Connection(address, timeout=timeout), f"{address.base}wake")
        self.desk = ClaimDesk(self.connection, self.bell)
        self.calendar = Calendar(self.connection, self.bell)
        self.stop_requests = StopRequests(self.connection, self.bell)
        self.enqueuing: Batcher[Sequence[Task], list[str]] = Batcher(self._enqueue)
        self.finishing: Batcher[Sequence[Outcome], set[str]] = Batcher(self._finish)
        self.reporting: Batcher[Sequence[Report], None] = Batcher(self._report)
        self._loop = asyncio.get_running_loop()

    async def open(self, *, create: bool) -> None:
        """Connect, and make the store if need be.

        Raises:
            ConnectionError: the server cannot be reached, or refuses the login.
            BackendError: there is no store, or it is of a newer version.
        """
        try:
            await self.connection.open()
            await self._check_schema(create=create)
        except BaseException:
            await self.connection.close()
            raise

    async def _check_schema(self, *, create: bool) -> None:
        shown = self.connection.shown
        version = int(await self.connection.run("open", SCHEMA_VERSION, int(create)))
        if version > SCHEMA_VERSION:
            raise schema_is_newer(shown, version, SCHEMA_VERSION)
        if not version and not create:
            raise BackendError(f"{shown} holds no store of this prefix; a queue or a worker makes it")

    async def close(self) -> None:
        for batcher in (self.enqueuing, self.finishing, self.reporting):
            await batcher.drain()
        await self.bell.close()
        await self.connection.close()

    async def abandon(self, *, forked: bool) -> None:
        """Let go of connections whose loop has ended; those of another process are not touched."""
        if not forked:
            await self.connection.close()

    async def wait(self, keys: Collection[str], *, timeout: float) -> None:
        """Wait for the bell, or for another worker's process to die."""
        deadline = self._loop.time() + timeout
        while (left := deadline - self._loop.time()) > 0:
            step = min(left, LOOK_INTERVAL) if self.desk.neighbours.watched else left
            if await self.bell.wait(keys, timeout=step) or self.desk.neighbours.notice_death():
                return

    async def _enqueue(self, requests: list[Sequence[Task]]) -> Sequence[list[str] | Exception]:
        answers = await tasks.enqueue(self.connection, requests)
        self.bell.note(LANES)
        return answers

    async def _report(self, requests: list[Sequence[Report]]) -> Sequence[None]:
        return await tasks.report(self.connection, requests)

    async def _finish(self, requests: list[Sequence[Outcome]]) -> Sequence[set[str]]:
        outcomes = [outcome for request in requests for outcome in request]
        accepted, _ = await self.desk.exchange(outcomes, "", None, limit=0)
        return [accepted.intersection(outcome.id for outcome in request) for request in requests]
