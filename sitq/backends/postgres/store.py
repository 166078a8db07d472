"""The connections of an open PostgreSQL backend, and what keeps verbs in order on them."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Sequence
from itertools import chain
from typing import Any, NamedTuple, TypeVar

from sitq.backends.batching import Batcher
from sitq.backends.postgres import reads
from sitq.backends.postgres.address import Address
from sitq.backends.postgres.bell import Bell
from sitq.backends.postgres.claims import Exchange, Exchanged, exchange
from sitq.backends.postgres.owners import LOOK_INTERVAL, Owners
from sitq.backends.postgres.schema import identify, prepare
from sitq.backends.postgres.session import Connection, Session
from sitq.core import Claim, Outcome
from sitq.exceptions import ConnectionError, SitqError

T = TypeVar("T")

_QUIET = 15.0  # seconds without a sign of the listening connection, after which it is asked for one
_RETRY = 1.0  # seconds between two tries to listen again

_NEXT_DUE = """select extract(epoch from min(due_at) - clock_timestamp())::float8 from sitq.task
  where state = 0 and due_at > clock_timestamp()"""


class Verb(NamedTuple):
    """Something that a store does, in one transaction.

    Attributes:
        run: gets connection, address and a request; several requests at once, and answers for each, where `together`.
        again: it may be run again when its answer was lost.
    """

    run: Callable[[Connection, Address, Any], Awaitable[Any]]
    together: bool = False
    again: bool = False


class _Request(NamedTuple):
    verb: Verb
    argument: Any


class OpenStore:
    """Acts on one connection, reads and listens on another; both belong to one event loop of one process."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.id = ""  # the store's own, which tells it from one of the same name in another database
        self._acting = Session(address, on_open=self._act_again)
        self._looking = Session(address, on_open=self._listen)
        self._batcher: Batcher[_Request, Any] = Batcher(self._write)
        self._bell = Bell()
        self._owners = Owners(address)
        self._opened_before = False
        self._exchange = Verb(self._exchange_one, again=True)
        self._finish = Verb(self._finish_together, together=True, again=True)
        self._trips: dict[str | None, int] = {}  # exchanges whose answer has not come, by worker
        self._stops_seen: dict[str, int] = {}  # by worker
        self._asked_at = 0.0
        self._listening: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()

    async def open(self, *, create: bool) -> None:
        """Connect, and see to the schema."""
        await self._acting.open()
        try:
            await self._acting.call(lambda connection: prepare(connection, self.address, create=create))
            self.id = await self._acting.call(lambda connection: identify(connection, self.address))
        except BaseException:
            await self._acting.close()
            raise

    async def close(self) -> None:
        await self._batcher.drain()
        self._bell.close()
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait({self._listening})
        await self._looking.close()
        await self._acting.close()

    async def abandon(self, *, forked: bool) -> None:
        """Let go of connections whose loop has ended; those of another process are not touched."""
        if not forked:
            self._acting.abandon()
            self._looking.abandon()

    async def act(self, verb: Verb, argument: Any, *, weight: int = 1) -> Any:
        """Run one request of a verb, together with others that came while the last ones were under way."""
        return await self._batcher.do(_Request(verb, argument), weight=weight)

    async def read(self, function: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        return await self._looking.repeat(lambda connection: function(connection, self.address, *arguments))

    async def exchange(
        self, outcomes: Sequence[Outcome], worker_id: str | None, queues: Sequence[str] | None, limit: int
    ) -> tuple[set[str], list[Claim]]:
        """Finish and claim in one trip; several callers that only finish share one."""
        request = Exchange(outcomes, worker_id, queues, limit)
        exchanged: Exchanged = await self.act(self._exchange if limit > 0 else self._finish, request)
        if exchanged.due is not None:
            self._bell.plan(exchanged.due)
        return {outcome.id for outcome in outcomes} - exchanged.refused, exchanged.claims

    async def cancel(self, verb: Verb, ids: Collection[str]) -> set[str]:
        """Cancel, and know of it before the server tells."""
        reached: set[str] = await self.act(verb, ids)
        self._bell.stops += 1
        return reached

    async def stop_requests(self, worker_id: str) -> set[str]:
        """Ask the server only if it has told of a cancellation since: workers ask each time that they were woken."""
        told = self._bell.stops
        if self._looking.is_open and self._stops_seen.get(worker_id) == told:
            return set()
        found = await self.read(reads.stop_requests, worker_id)
        if not found:
            self._stops_seen[worker_id] = told
        return found

    async def wait(self, keys: Collection[str], *, timeout: float) -> None:
        """Wait for the bell, for a task to become due, or for another worker's process to die."""
        deadline = self._loop.time() + timeout
        while (left := deadline - self._loop.time()) > 0:
            self._listen_soon()
            due = self._bell.due  # which another one who waits may have forgotten when this one wakes
            step = min(left, LOOK_INTERVAL, self._seconds_until(due))
            if step <= 0 or await self._bell.waiters.wait(keys, timeout=step) or self._owners.notice_death():
                break
            if self._seconds_until(due) <= 0:
                break
        if self._seconds_until(self._bell.due) <= 0:
            self._bell.due = None
            self._asked_at = 0.0  # there may be another one after it

    def _seconds_until(self, moment: float | None) -> float:
        return float("inf") if moment is None else moment - self._loop.time()

    def _listen_soon(self) -> None:
        """See that changes are heard, without making who waits wait for it."""
        pause = _QUIET if self._looking.is_open else _RETRY
        if self._listening is None and self._loop.time() - self._asked_at >= pause:
            self._asked_at = self._loop.time()
            self._listening = self._loop.create_task(self._ask_next_due())
            self._listening.add_done_callback(self._forget_listening)

    def _forget_listening(self, task: "asyncio.Task[None]") -> None:
        self._listening = None
        if not task.cancelled():
            task.exception()  # trouble with the server is met again by the next verb

    async def _ask_next_due(self) -> None:
        await self._looking.call(self._note_next_due)

    async def _note_next_due(self, connection: Connection) -> None:
        seconds = await connection.fetchval(self.address.sql(_NEXT_DUE))
        if seconds is not None:
            self._bell.plan(seconds)

    async def _act_again(self, connection: Connection) -> None:
        """Look at a server that comes back: it may have another schema by now, and nobody could renew a lease."""
        if self._opened_before:
            await prepare(connection, self.address, create=False)
            self._owners.forgive()
        self._opened_before = True

    async def _listen(self, connection: Connection) -> None:
        """Hear of changes on a connection that was opened, and wake all: what came before was not heard."""
        await connection.add_listener(self.address.channel, self._bell.on_notification)
        await self._note_next_due(connection)
        self._bell.stops += 1
        self._bell.waiters.wake()

    async def _write(self, batch: list[_Request]) -> list[Any]:
        """Give each verb all its requests at once, verbs in the order in which they first came."""
        places: dict[Verb, list[int]] = {}
        for place, request in enumerate(batch):
            places.setdefault(request.verb, []).append(place)
        answers: list[Any] = [None] * len(batch)
        for verb, own in places.items():
            arguments = [batch[place].argument for place in own]
            for place, answer in zip(own, await self._answers(verb, arguments), strict=True):
                answers[place] = answer
        return answers

    async def _answers(self, verb: Verb, arguments: list[Any]) -> list[Any]:
        if not verb.together:
            return [await self._answer(verb, argument) for argument in arguments]
        answers = await self._answer(verb, arguments)
        if not isinstance(answers, Exception):
            return list(answers)
        if len(arguments) == 1 or isinstance(answers, ConnectionError):
            return [answers] * len(arguments)
        # One request has spoilt the transaction for the others: now each has its own.
        return [answer for argument in arguments for answer in await self._answers(verb, [argument])]

    async def _answer(self, verb: Verb, argument: Any) -> Any:
        run = self._acting.repeat if verb.again else self._acting.call
        try:
            return await run(lambda connection: verb.run(connection, self.address, argument))
        except SitqError as exc:
            return exc

    async def _exchange_one(self, connection: Connection, address: Address, request: Exchange) -> Exchanged:
        assert request.worker_id is not None
        if self._owners.must_look:
            await self._owners.release_dead(connection, request.worker_id)
        exchanged = await self._trip(connection, address, request)
        if exchanged.claims or not self._owners.may_look:
            return exchanged
        # A look costs a trip of its own, so it is best taken when there is time.
        if not await self._owners.release_dead(connection, request.worker_id):
            return exchanged
        return (await self._trip(connection, address, request._replace(outcomes=())))._replace(
            refused=exchanged.refused
        )

    async def _finish_together(
        self, connection: Connection, address: Address, requests: Sequence[Exchange]
    ) -> list[Exchanged]:
        outcomes = list(chain.from_iterable(request.outcomes for request in requests))
        exchanged = await self._trip(connection, address, Exchange(outcomes))
        return [exchanged] * len(requests)

    async def _trip(self, connection: Connection, address: Address, request: Exchange) -> Exchanged:
        """Make one exchange, under the number of the last one if the answer to that was lost."""
        again = request.worker_id in self._trips
        trip = self._trips.setdefault(request.worker_id, random.getrandbits(62))
        exchanged = await exchange(connection, address, request, trip=trip, again=again)
        del self._trips[request.worker_id]
        return exchanged
