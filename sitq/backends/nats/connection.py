"""One connection to a NATS server: conditional writes, reads of many subjects, and the server's own requests."""

import asyncio
import json
import secrets
from collections.abc import Sequence
from typing import Any, NamedTuple

from sitq.backends.nats.address import Address
from sitq.backends.nats.answers import Answers, Found, Read
from sitq.backends.nats.errors import ServerAwayError, error_of
from sitq.backends.nats.link import Link

_EXPECT = "Nats-Expected-Last-Subject-Sequence"
_EXPECT_WITHIN = f"{_EXPECT}-Subject"
_READ_AT_ONCE, _SCANNED_AT_ONCE = 256, 500  # subjects in one read of many, messages in one of a row
_LAG = 0.005  # seconds until a server that lags is asked again


class Write(NamedTuple):
    """A message on its way into the stream.

    Attributes:
        expect: the last sequence that `within` must have had until now; None for no condition.
        within: the subjects, as a filter, that the condition is about; "" means the message's own.
        ttl: seconds after which the server forgets it; 0 means never.
    """

    subject: str
    body: bytes
    expect: int | None = None
    within: str = ""
    ttl: int = 0


class Connection:
    """Talks to the server for one backend, on one event loop.

    Args:
        timeout: seconds until an answer must have come.
    """

    def __init__(self, address: Address, *, timeout: float) -> None:
        self._address = address
        self._timeout = timeout
        self._replies = Answers(timeout=timeout, server=address.shown)
        self.link = Link(address, timeout=timeout, on_lost=self._replies.fail_all)
        self.loop = asyncio.get_running_loop()
        self._known_up_to = 0
        self.stream = address.prefix
        self.always_there = ""  # a subject that is read along where several servers keep the stream

    async def open(self) -> None:
        """Connect for the first time.

        Raises:
            ConnectionError: no server answers, or none lets this user in.
        """
        await self.link.open()
        self._replies.inbox = f"{self.link.new_inbox()}."
        await self.link.listen(f"{self._replies.inbox}*", self._replies.take)

    async def close(self) -> None:
        self._replies.fail_all(f"the connection to {self._address.shown} was closed")
        await self.link.close()

    async def write(self, writes: Sequence[Write]) -> list[int | Exception]:
        """Write messages, each for itself, in one trip; tell the sequence of each, or what refused it."""
        if not writes:
            return []
        replies, future = self._replies.expect_together(len(writes))
        try:
            for number, write in enumerate(writes):
                await self._publish(write, reply=f"{replies}{number}")
        except BaseException:
            self._replies.forget(replies)
            raise
        answers: list[dict[str, Any]] = await self._replies.within_time(future)
        self.knows_up_to(max((answer["seq"] for answer in answers if "error" not in answer), default=0))
        return [error_of(answer["error"], "write") if "error" in answer else int(answer["seq"]) for answer in answers]

    async def write_together(self, writes: Sequence[Write]) -> int:
        """Write messages all or none, at most 1,000, and tell the sequence of the last.

        Raises:
            CollisionError: a condition does not hold.
        """
        batch = {"Nats-Batch-Id": secrets.token_hex(12)}
        for number, write in enumerate(writes[:-1], 1):
            await self._publish(write, batch | {"Nats-Batch-Sequence": str(number)})
        last = batch | {"Nats-Batch-Sequence": str(len(writes)), "Nats-Batch-Commit": "1"}
        reply, future = self._replies.expect()
        await self._publish(writes[-1], last, reply=reply)
        answer: dict[str, Any] = await self._replies.within_time(future)
        if "error" in answer:
            raise error_of(answer["error"], "write")
        self.knows_up_to(answer["seq"])
        return int(answer["seq"])

    async def write_blindly(self, writes: Sequence[Write]) -> None:
        """Write messages whose success others do not depend on."""
        for write in writes:
            await self._publish(write)

    async def call(self, name: str, body: dict[str, Any] | None = None, *, what: str) -> dict[str, Any]:
        """Ask JetStream itself, as in "STREAM.INFO.sitq".

        Args:
            what: is done, for the error's text.
        """
        return await self.ask(f"$JS.API.{name}", body or {}, what=what)

    async def call_blindly(self, name: str, body: dict[str, Any] | None = None) -> None:
        """Ask JetStream for something whose success nothing depends on."""
        # The server does nothing for those who do not listen.
        await self.link.send(f"$JS.API.{name}", json.dumps(body or {}).encode(), reply=f"{self._replies.inbox}0")

    async def ask(self, subject: str, body: dict[str, Any], *, what: str) -> dict[str, Any]:
        reply, future = self._replies.expect()
        await self.link.send(subject, json.dumps(body).encode(), reply=reply)
        answer: dict[str, Any] = await self._replies.within_time(future)
        if "error" in answer:
            raise error_of(answer["error"], what)
        return answer

    async def read(self, filters: Sequence[str]) -> list[Found]:
        """Read the last message of each subject that matches one of the filters, each of which may match a few."""
        found: list[Found] = []
        for start in range(0, len(filters), _READ_AT_ONCE):
            found += await self._read_fresh(filters[start : start + _READ_AT_ONCE])
        return found

    async def _read_fresh(self, filters: Sequence[str]) -> list[Found]:
        """Read from whichever server of a cluster answers, again if it lags behind what is known here."""
        await self.level()
        filters = [*filters, self.always_there] if self.always_there else filters
        deadline = self.loop.time() + self._timeout
        while True:
            read = await self._direct({"multi_last": filters, "batch": 1000})
            if not read.up_to or read.up_to >= self._known_up_to:
                return [message for message in read.found if message.subject != self.always_there]
            if self.loop.time() > deadline:
                raise ServerAwayError(f"a NATS server of {self._address.shown} lags behind the others")
            await asyncio.sleep(_LAG)

    async def level(self) -> None:
        """Wait until all servers that keep the stream, any of which may answer, have what is written until now."""
        deadline = self.loop.time() + self._timeout
        while self.always_there and self.loop.time() < deadline:
            answer = await self.call(f"STREAM.INFO.{self.stream}", what="tell how far its servers are")
            self.knows_up_to(answer["state"]["last_seq"])
            others = answer.get("cluster", {}).get("replicas") or ()
            # One that is not current, or has died, answers no reads.
            if not any(other.get("lag") for other in others if other.get("current") and not other.get("offline")):
                return
            await asyncio.sleep(_LAG)

    def knows_up_to(self, seq: int) -> None:
        """Expect what is read from now on to include this sequence."""
        self._known_up_to = max(self._known_up_to, seq)

    async def scan(self, subject: str, *, start: int, batch: int) -> list[Found]:
        """Read messages whose subjects match a filter, in the order of the stream from sequence `start` on."""
        await self.level()
        return (await self._direct({"seq": max(1, start), "next_by_subj": subject, "batch": batch})).found

    async def scan_all(self, subject: str) -> list[Found]:
        """Read all messages whose subjects match a filter."""
        found: list[Found] = []
        while batch := await self.scan(subject, start=found[-1].seq + 1 if found else 1, batch=_SCANNED_AT_ONCE):
            found += batch
        return found

    async def count(self, subject: str) -> int:
        """Count the messages whose subjects match a filter."""
        first = await self.scan(subject, start=1, batch=1)
        return first[0].behind + 1 if first else 0

    async def _direct(self, body: dict[str, Any]) -> Read:
        reply, future = self._replies.expect(many=True)
        await self.link.send(f"$JS.API.DIRECT.GET.{self.stream}", json.dumps(body).encode(), reply=reply)
        read: Read = await self._replies.within_time(future)
        return read

    async def _publish(self, write: Write, headers: dict[str, str] | None = None, *, reply: str = "") -> None:
        headers = {} if headers is None else headers
        if write.expect is not None:
            headers[_EXPECT] = str(write.expect)
            if write.within:
                headers[_EXPECT_WITHIN] = write.within
        if write.ttl:
            headers["Nats-TTL"] = f"{write.ttl}s"
        await self.link.send(write.subject, write.body, reply=reply, headers=headers)
