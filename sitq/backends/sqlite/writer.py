"""Group commit: what callers ask for while a transaction is in flight goes into the next one, in one hop."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeAlias

from sitq.backends.moments import in_microseconds
from sitq.backends.sqlite.connection import Connection, LockTakenError
from sitq.backends.sqlite.errors import is_store_trouble, meaning_of

# A verb gets the requests of several callers at once and gives an answer for each. An answer that is an exception is
# raised at its caller, and only there.
Verb: TypeAlias = "Callable[[Transaction, Sequence[Any]], Sequence[Any]]"

# Other processes get the lock between two batches, so a batch must end.
_BATCH_LIMIT = 1000
# Rows that may be written on the loop's own thread.
_FEW = 4

_Outcome: TypeAlias = tuple[list[Any], set[str], int | None]  # answers, wakes, next due moment


class CollisionError(Exception):
    """Some rows of a wide statement were not as hoped: the transaction must be run again, row by row."""


class Owner(Protocol):
    """Who begins and ends a transaction, and tells the time in seconds since the epoch."""

    @property
    def clock(self) -> Callable[[], float]: ...
    def begin(self, raw: sqlite3.Connection) -> None: ...
    def commit(self, raw: sqlite3.Connection) -> None: ...


class Transaction:
    """What a verb works with, on the connection's thread: statements, counts and wakes of one transaction.

    Attributes:
        now: microseconds since the epoch, one moment for the whole transaction.
        wakes: lanes and task ids that changed.
        careful: wide statements met rows that were not as hoped; look at each row now.
        due: the earliest moment at which a task that was put back or enqueued here becomes due.
    """

    __slots__ = ("_counts", "_owner", "_stored", "careful", "due", "execute", "now", "raw", "wakes")

    def __init__(self, owner: Owner, raw: sqlite3.Connection, *, careful: bool) -> None:
        self._owner = owner
        self.careful = careful
        self.raw = raw
        self.execute = raw.execute
        self.now = in_microseconds(owner.clock())
        self.wakes: set[str] = set()
        self.due: int | None = None
        self._counts: dict[tuple[str, int], int] = {}
        self._stored: dict[tuple[str, int], int] | None = None

    def begin(self) -> None:
        """Take the write lock unless it is ours already. A verb that finds nothing to do never calls this."""
        if not self.raw.in_transaction:
            self._owner.begin(self.raw)

    def count(self, queue: str, state: int, change: int) -> None:
        """Note that `change` more tasks of a lane are in a state; the counter table follows at the commit.

        Kept here and not by triggers: those cost 38 % of the write rate, this costs 2 %.
        """
        key = (queue, state)
        self._counts[key] = self._counts.get(key, 0) + change

    def move(self, queue: str, source: int, target: int) -> None:
        """Note that one task of a lane went from one state to another."""
        self.count(queue, source, -1)
        self.count(queue, target, 1)

    def unfinished(self) -> dict[tuple[str, int], int]:
        """Read how many tasks each lane has in each state that is not final and not running."""
        counts = dict(self._read_counts())
        for key, change in self._counts.items():
            if key[1] < 2:
                counts[key] = counts.get(key, 0) + change
        return {key: n for key, n in counts.items() if n > 0}

    def has(self, state: int) -> bool:
        """Tell whether some lane has tasks in a state that is not final and not running."""
        if not any(held == state for _, held in (*self._read_counts(), *self._counts)):
            return False
        return any(held == state for _, held in self.unfinished())

    def _read_counts(self) -> dict[tuple[str, int], int]:
        """Read the stored counts, once while the write lock keeps them as they are."""
        if self._stored is not None:
            return self._stored
        stored = {(queue, state): n for queue, state, n in self.execute(_UNFINISHED)}
        if self.raw.in_transaction:
            self._stored = stored
        return stored

    def plan(self, due_at: int) -> None:
        """Note that a task becomes due at that moment; what is no moment never comes."""
        if isinstance(due_at, int) and (self.due is None or due_at < self.due):
            self.due = due_at

    def commit(self) -> None:
        if not self.raw.in_transaction:
            return
        for (queue, state), change in self._counts.items():
            if change:
                self.execute(_COUNT, (queue, state, change))
        self._owner.commit(self.raw)

    def rollback(self) -> None:
        if self.raw.in_transaction:
            self.raw.execute("rollback")


_UNFINISHED = "select queue, state, n from counter where state < 2 and n > 0"
_COUNT = "insert into counter values (?, ?, ?) on conflict do update set n = n + excluded.n"

Publish: TypeAlias = Callable[[Iterable[str], int | None], None]


class Writer:
    """Runs verbs in transactions on one connection.

    No timer decides the batch: a lone caller's request goes at once, and while it is in flight the next ones gather.

    Args:
        publish: called on the loop after a commit with what changed and the next due moment.
    """

    def __init__(self, connection: Connection, publish: Publish) -> None:
        self._connection = connection
        self._publish = publish
        self._waiting: list[tuple[Verb, Any, int, asyncio.Future[Any]]] = []
        self._busy = False
        self._flusher: asyncio.Task[None] | None = None

    async def do(self, verb: Verb, request: Any, *, rows: int = _BATCH_LIMIT) -> Any:
        """Run one request of a verb and return its answer, or raise it if it is an exception.

        A caller's cancellation does not undo the request: it may be committed already.

        Args:
            rows: how many rows it may touch; a few, for a lone caller, need no hop to another thread.
        """
        if not self._busy:
            self._busy = True
            try:
                if rows <= _FEW:
                    await asyncio.sleep(0)  # who is about to ask joins, and a loop of awaits lets others run
                if not self._waiting:
                    (answer,) = await self._commit([(verb, request)], rows)
                    return _value_of(answer)
            finally:
                self._go_on()
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((verb, request, rows, future))
        return await future

    async def drain(self) -> None:
        """Wait until nothing is in flight."""
        while self._flusher is not None:
            await asyncio.wait({self._flusher})

    def _go_on(self) -> None:
        if self._waiting:
            self._flusher = asyncio.get_running_loop().create_task(self._flush())
        else:
            self._busy = False

    async def _flush(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:_BATCH_LIMIT], self._waiting[_BATCH_LIMIT:]
                await self._answer(batch)
        finally:
            self._busy = False
            self._flusher = None

    async def _answer(self, batch: list[tuple[Verb, Any, int, asyncio.Future[Any]]]) -> None:
        try:
            answers = await self._commit(
                [(verb, request) for verb, request, _, _ in batch], sum(rows for _, _, rows, _ in batch)
            )
        except asyncio.CancelledError:
            for _, _, _, future in batch:
                future.cancel()
            raise
        except Exception as exc:
            answers = [exc] * len(batch)
        for (_, _, _, future), answer in zip(batch, answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, BaseException):
                future.set_exception(answer)
            else:
                future.set_result(answer)

    async def _commit(self, batch: list[tuple[Verb, Any]], rows: int) -> list[Any]:
        answers, wakes, due = await self._run_anywhere(batch, rows)
        if wakes or due is not None:
            self._publish(wakes, due)
        return answers

    async def _run_anywhere(self, batch: list[tuple[Verb, Any]], rows: int) -> _Outcome:
        if rows <= _FEW and self._connection.idle:
            try:
                return self._connection.call_here(self._run, batch)
            except LockTakenError:
                pass  # the database thread may wait for it
        return await self._connection.call(self._run, batch)

    def _run(self, raw: sqlite3.Connection, batch: list[tuple[Verb, Any]]) -> _Outcome:
        """Run a batch in one transaction, on the connection's thread; if it fails, each request in its own."""
        self._connection.check_identity()
        try:
            return self._transact(raw, batch)
        except Exception as exc:
            if len(batch) == 1 or isinstance(exc, LockTakenError) or is_store_trouble(exc):
                raise
            if not self._connection.may_wait:
                raise LockTakenError from exc  # one of several transactions could find the lock taken half-way
        answers: list[Any] = []
        wakes: set[str] = set()
        dues: list[int] = []
        for item in batch:
            try:
                answer, more, due = self._transact(raw, [item])
            except Exception as exc:
                answers.append(meaning_of(exc, self._connection.file.path))
                continue
            answers += answer
            wakes |= more
            dues += [due] if due is not None else []
        return answers, wakes, min(dues, default=None)

    def _transact(self, raw: sqlite3.Connection, batch: list[tuple[Verb, Any]]) -> _Outcome:
        try:
            return self._attempt(raw, batch, careful=False)
        except CollisionError:
            return self._attempt(raw, batch, careful=True)

    def _attempt(self, raw: sqlite3.Connection, batch: list[tuple[Verb, Any]], *, careful: bool) -> _Outcome:
        transaction = Transaction(self._connection, raw, careful=careful)
        try:
            if self._connection.file.shared:
                transaction.begin()  # with a rollback journal reads before the lock could find it taken
            answers = _dispatch(transaction, batch)
            transaction.commit()
        except BaseException:
            transaction.rollback()
            raise
        return answers, transaction.wakes, transaction.due


def _dispatch(transaction: Transaction, batch: list[tuple[Verb, Any]]) -> list[Any]:
    """Give each verb all its requests at once, verbs in the order in which they first came."""
    if len(batch) == 1:
        verb, request = batch[0]
        return list(verb(transaction, (request,)))
    places: dict[Verb, list[int]] = {}
    for place, (verb, _) in enumerate(batch):
        places.setdefault(verb, []).append(place)
    answers: list[Any] = [None] * len(batch)
    for verb, own in places.items():
        for place, answer in zip(own, verb(transaction, [batch[place][1] for place in own]), strict=True):
            answers[place] = answer
    return answers


def _value_of(answer: Any) -> Any:
    if isinstance(answer, BaseException):
        raise answer
    return answer
