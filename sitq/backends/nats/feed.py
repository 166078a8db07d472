"""Follows a stream from its last records on, in order and without gaps, whatever happens to the connection."""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable

from nats.aio.msg import Msg

from sitq.backends.nats.connection import Connection
from sitq.backends.nats.errors import ServerAwayError
from sitq.backends.nats.subjects import Subjects
from sitq.exceptions import BackendError, SitqError

logger = logging.getLogger(__name__)

_PULSE = 2.0  # seconds between two signs of life from the server
_SILENCE = 3 * _PULSE  # seconds without one after which the feed is begun anew
_KEPT = 60.0  # seconds for which the server keeps a feed that nobody reads
_NANO = 1_000_000_000


class Feed:
    """Reads what a store's stream holds, then what is written into it.

    Args:
        full: tell all that is followed, from the last record of each subject on; without it only which tasks end from
            now on, by subjects without bodies.
        on_begin: called before the first message, each time that the feed begins anew.
        on_message: called with subject, sequence and body.
        on_begun: called when all is told that the stream held at the beginning.
    """

    def __init__(
        self,
        connection: Connection,
        subjects: Subjects,
        *,
        full: bool,
        on_begin: Callable[[], None],
        on_message: Callable[[str, int, bytes], None],
        on_begun: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._subjects = subjects
        self._full = full
        self._on_begin = on_begin
        self._on_message = on_message
        self._on_begun = on_begun
        self._broken = asyncio.Event()
        self._name = ""
        self._expected = 1
        self._heard_at = 0.0
        self._closed = False
        self._following = connection.loop.create_task(self._follow())
        self._progress: asyncio.Future[None] | None = None  # of those who wait for more
        self.begun = asyncio.Event()  # all that the stream held at the beginning is told

    async def close(self) -> None:
        self._following.cancel()
        await asyncio.wait({self._following})
        self._closed = True
        self._has_told(all_of_it=False)
        self.begun.set()

    def begin_anew(self) -> None:
        """Read all again: the connection was lost, or something was missed."""
        self._broken.set()

    async def catch_up(self) -> str:
        """Return when all is told that was written before this call; answers the server's time at its last answer."""
        while True:
            await self.begun.wait()
            if self._closed:
                raise ServerAwayError("this backend was closed while it waited for the NATS server")
            try:
                await self._connection.level()
                answer = await self._connection.call(
                    f"CONSUMER.INFO.{self._connection.stream}.{self._name}", what="tell how far a feed is"
                )
            except ServerAwayError:
                raise
            except BackendError:  # the server has forgotten the feed, as after a restart
                self.begin_anew()
                await asyncio.sleep(0.05)
                continue
            while self._expected <= answer["delivered"]["consumer_seq"] and not self._closed:
                self._progress = self._progress or self._connection.loop.create_future()
                await asyncio.shield(self._progress)
            if not answer["num_pending"]:
                return str(answer["ts"])

    async def _follow(self) -> None:
        while True:
            end: Callable[[], Awaitable[None]] | None = None
            try:
                end = await self._begin()
                await self._watch()
            except SitqError as exc:
                logger.debug("the feed of %s: %s", self._connection.stream, exc)
                await asyncio.sleep(0.2)
            finally:
                if end is not None:
                    await asyncio.shield(self._end(end))

    async def _begin(self) -> Callable[[], Awaitable[None]]:
        self._broken.clear()
        self.begun.clear()
        self._name = f"feed-{secrets.token_hex(8)}"
        self._expected, self._heard_at = 1, self._connection.loop.time()
        self._on_begin()
        name = self._name

        async def take(message: Msg) -> None:
            if name == self._name:
                await self._take(message)

        inbox = self._connection.link.new_inbox()
        end = await self._connection.link.subscribe(inbox, take)
        await self._create(inbox)
        return end

    async def _create(self, inbox: str) -> None:
        stream = self._connection.stream
        config = {
            "name": self._name,
            "deliver_subject": inbox,
            "deliver_policy": "last_per_subject" if self._full else "new",
            "ack_policy": "none",
            "filter_subjects": self._subjects.followed if self._full else self._subjects.ends,
            "headers_only": not self._full,
            "idle_heartbeat": int(_PULSE * _NANO),
            "flow_control": True,
            "inactive_threshold": int(_KEPT * _NANO),
            "mem_storage": True,
            "num_replicas": 1,
        }
        answer = await self._connection.call(
            f"CONSUMER.CREATE.{stream}.{self._name}",
            {"stream_name": stream, "config": config, "action": "create"},
            what="follow the store",
        )
        if not self._full or answer["num_pending"] + answer["delivered"]["consumer_seq"] == 0:
            self._has_told(all_of_it=True)

    async def _watch(self) -> None:
        """Wait until the feed is broken, or silent for too long."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_PULSE):
                    await self._broken.wait()
                    return
            if self._connection.loop.time() - self._heard_at > _SILENCE:
                return

    async def _end(self, end: Callable[[], Awaitable[None]]) -> None:
        with contextlib.suppress(Exception):  # without it the server forgets the feed after a minute
            await end()
            await self._connection.call_blindly(f"CONSUMER.DELETE.{self._connection.stream}.{self._name}")

    async def _take(self, message: Msg) -> None:
        self._heard_at = self._connection.loop.time()
        if message.headers and message.headers.get("Status") == "100":
            await self._take_signal(message)
            return
        seq, number, pending = _place(message.reply)
        if number != self._expected:
            self._broken.set()
            return
        self._expected += 1
        self._on_message(message.subject, seq, message.data)
        self._connection.knows_up_to(seq)
        self._has_told(all_of_it=pending == 0)

    async def _take_signal(self, message: Msg) -> None:
        headers = message.headers or {}
        if message.reply:
            await self._connection.link.send(message.reply, b"")
        elif stalled := headers.get("Nats-Consumer-Stalled"):
            await self._connection.link.send(stalled, b"")
        if int(headers.get("Nats-Last-Consumer", 0)) >= self._expected:
            self._broken.set()  # the last messages were lost on the way

    def _has_told(self, *, all_of_it: bool) -> None:
        if all_of_it and not self.begun.is_set():
            self._on_begun()
            self.begun.set()
        if self._progress is not None:
            self._progress.set_result(None)
            self._progress = None


def _place(reply: str) -> tuple[int, int, int]:
    """Read an acknowledgement's subject: stream sequence, number within the feed, and how many are to come."""
    words = reply.split(".")
    first = 5 if len(words) == 9 else 7  # behind a domain and an account
    return int(words[first]), int(words[first + 1]), int(words[first + 3])
