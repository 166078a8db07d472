"""A backend's picture of its store: the shelf, kept up to date by the feed, and those who wait for its changes."""

import asyncio
import contextlib
import json
import re
from collections.abc import Collection

from sitq._process import ProcessIdentity
from sitq.backends.moments import in_seconds
from sitq.backends.nats.clock import StoreClock
from sitq.backends.nats.connection import Connection, Write
from sitq.backends.nats.errors import ServerAwayError
from sitq.backends.nats.feed import Feed
from sitq.backends.nats.records import Record, decoded
from sitq.backends.nats.shelf import Document, Shelf
from sitq.backends.nats.subjects import Subjects
from sitq.backends.waiters import Waiters
from sitq.core import FINAL, TaskStatus
from sitq.exceptions import BackendError

_PATIENCE = 30.0  # seconds to wait for the open tasks; 100,000 come in 2
_LOOK = 0.25  # seconds between two looks whether a worker's process on this machine has died
_SAFETY = 1.0  # seconds that a wait lasts at most, whatever was or was not heard
_TASK_ID = re.compile(r"[0-9a-f]{28}")


class Replica:
    """Follows the store as far as somebody here needs it.

    Who only waits for tasks by their ids is told of their ends; who waits for lanes, claims or lists needs the shelf.
    """

    def __init__(self, connection: Connection, subjects: Subjects, clock: StoreClock) -> None:
        self._connection = connection
        self._subjects = subjects
        self._clock = clock
        self._feed: Feed | None = None
        self._full = False
        self._changing = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._loading = Shelf()
        self._ended: dict[str, int] = {}  # by own writes; the feed may still tell what they were before
        self.shelf = Shelf()
        self.waiters = Waiters()

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.waiters.wake()
        feed, self._feed = self._feed, None
        if feed is not None:
            await feed.close()

    def connection_is_back(self) -> None:
        if self._feed is not None:
            self._feed.begin_anew()
        self.waiters.wake()

    async def load(self) -> Shelf:
        """Make sure that the shelf is here."""
        await self._need(full=True)
        assert self._feed is not None
        if self._feed.begun.is_set():
            return self.shelf
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._feed.begun.wait()
        except TimeoutError:
            raise ServerAwayError(f"the NATS server did not tell the open tasks within {_PATIENCE:g} seconds") from None
        return self.shelf

    async def catch_up(self) -> Shelf:
        """Make sure that the shelf shows all that was written before this call."""
        await self.load()
        assert self._feed is not None
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._feed.catch_up()
        except TimeoutError:
            raise ServerAwayError(f"the NATS server did not tell what is new within {_PATIENCE:g} seconds") from None
        return self.shelf

    async def wait(self, keys: Collection[str], *, timeout: float) -> None:
        """Wait for a change, for a task to become due, or for another worker's process to die."""
        loop = self._connection.loop
        deadline = loop.time() + min(timeout, _SAFETY)
        if self._feed is None or not self._full:
            full = not keys or not all(map(_TASK_ID.fullmatch, keys))
            if self._feed is None or full:
                with contextlib.suppress(BackendError):  # away: whoever acts next tells
                    await self._need(full=full)
                return  # anything may have changed until now
        while (left := deadline - loop.time()) > 0:
            if await self.waiters.wait(keys, timeout=min(left, _LOOK)) or self._some_owner_died():
                return

    async def _need(self, *, full: bool) -> None:
        if self._feed is not None and (self._full or not full):
            return
        async with self._changing:
            if self._feed is None or (full and not self._full):
                before, self._full = self._feed, full or self._full
                if before is not None:
                    await before.close()
                self._feed = Feed(
                    self._connection,
                    self._subjects,
                    full=self._full,
                    on_begin=self._begin,
                    on_message=lambda *message: self._apply(self._loading, *message),
                    on_begun=self._begun,
                )

    def wrote(self, write: Write, seq: int) -> None:
        """Take a document that this backend has written itself, before the feed tells it."""
        if self._full:
            self._apply(self.shelf, write.subject, seq, write.body)

    def put(self, record: Record) -> None:
        """Take an open record that this backend has written or read itself."""
        if self._full:
            self._put(self.shelf, record)

    def ended(self, record: Record, seq: int) -> None:
        """Take the end of an open task that this backend has written itself, at sequence `seq`."""
        if self._full:
            self._ended[record.id] = seq
            self._remove(self.shelf, record.id, seq)
        else:
            self.waiters.wake((record.id,))

    def _begin(self) -> None:
        self._loading = self.shelf if not self._full else Shelf()
        self._ended.clear()

    def _begun(self) -> None:
        self.shelf = self._loading
        self.waiters.wake()
        self._plan()

    def _apply(self, shelf: Shelf, subject: str, seq: int, body: bytes) -> None:
        kind = self._subjects.kind_of(subject)
        if kind == "open":
            known = shelf.open.get(self._subjects.id_of(subject))
            if known is None or known.seq < seq:  # else it was written here, and is known
                self._apply_task(shelf, seq, body)
        elif kind in FINAL:
            self.waiters.wake((self._subjects.id_of(subject),))
        elif kind in ("worker", "lane", "schedule"):
            facts, _, tail = body.partition(b"\n")
            document = Document(seq, json.loads(facts), tail) if facts else None
            shelf.document(kind, subject, document)
            if document is not None and "queue" in document.facts:
                self.waiters.wake((document.facts["queue"],))

    def _apply_task(self, shelf: Shelf, seq: int, body: bytes) -> None:
        if body[:1] != b"{":
            task_id = body.decode()
            self._ended.pop(task_id, None)
            self._remove(shelf, task_id, seq)
            return
        self._put(shelf, decoded(seq, body))

    def _put(self, shelf: Shelf, record: Record) -> None:
        if self._ended.get(record.id, 0) > record.seq:
            return
        before = shelf.open.get(record.id)
        shelf.put(record)
        if before is not None and before.facts.get("attempt") == record.facts.get("attempt"):
            self.waiters.wake((record.id,))  # it tells of its progress, or is to stop; that it has begun wakes nobody
        if record.status is TaskStatus.PENDING:
            self._plan()

    def _remove(self, shelf: Shelf, task_id: str, seq: int) -> None:
        shelf.remove(task_id, seq)
        self.waiters.wake((task_id, *shelf.released_by(task_id)))
        self._plan()

    def _plan(self) -> None:
        """Ring for the lanes in which something is due, now or when the next moment has come."""
        shelf = self.shelf
        now = self._clock.now()
        lanes = shelf.promote(now)
        if lanes:
            self.waiters.wake(lanes)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due_at = shelf.next_due()
        if due_at is not None:
            # No longer than an hour at once: the server's clock and this one drift.
            seconds = min(3600.0, max(0.0, in_seconds(due_at - now)))
            self._timer = self._connection.loop.call_later(seconds, self._plan)

    def _some_owner_died(self) -> bool:
        workers = self.shelf.documents["worker"].values()
        return any(owner(worker).is_surely_dead() for worker in workers if worker.facts["id"] in self.shelf.held)


def owner(worker: Document) -> ProcessIdentity:
    return ProcessIdentity(worker.facts["host"], worker.facts["pid"], worker.facts["process"])
