"""Answers that are on their way from a NATS server: each question has a subject of its own to be answered at."""

import asyncio
import json
from typing import Any, NamedTuple

from nats.aio.msg import Msg

from sitq.backends.nats.errors import ServerAwayError, error_of


class Found(NamedTuple):
    """A message of the stream, as it was read.

    Attributes:
        behind: how many more of the wanted subjects follow it.
    """

    subject: str
    seq: int
    body: bytes
    behind: int = 0


class Read(NamedTuple):
    """What was found, and the sequence up to which the server that looked has the stream; 0 when it does not say."""

    found: list[Found]
    up_to: int


class _Group:
    """The answers to several questions that were sent together."""

    def __init__(self, count: int, future: "asyncio.Future[list[Any]]") -> None:
        self.answers: list[Any] = [None] * count
        self.missing = count
        self.future = future


class Answers:
    """Matches what comes in with who asked.

    Args:
        timeout: seconds until an answer must have come; then all who wait hear that the server does not answer.
        server: its URL as it is shown.
    """

    def __init__(self, *, timeout: float, server: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._timeout = timeout
        self._server = server
        self._asked: dict[str, asyncio.Future[Any]] = {}
        self._reading: dict[str, list[Found]] = {}
        self._groups: dict[str, _Group] = {}
        self._deadlines: dict[asyncio.Future[Any], float] = {}  # in the order in which they were asked
        self._timer: asyncio.TimerHandle | None = None
        self._number = 0
        self.inbox = ""

    def expect(self, *, many: bool = False) -> "tuple[str, asyncio.Future[Any]]":
        """Make a subject for an answer, and what will hold it.

        Args:
            many: it is a `Read` of several messages.
        """
        self._number += 1
        key = str(self._number)
        future = self._asked[key] = self._loop.create_future()
        if many:
            self._reading[key] = []
        return f"{self.inbox}{key}", future

    def expect_together(self, count: int) -> "tuple[str, asyncio.Future[list[Any]]]":
        """Make the beginning of `count` subjects, which end in their numbers from 0, and what will hold all answers.

        One future for many answers: a future for each cost 8 µs more a message.
        """
        self._number += 1
        key = str(self._number)
        future: asyncio.Future[list[Any]] = self._loop.create_future()
        self._groups[key] = _Group(count, future)
        return f"{self.inbox}{key}-", future

    def forget(self, beginning: str) -> None:
        """Wait no longer for the answers to questions that were not all sent."""
        self._groups.pop(beginning[len(self.inbox) : -1], None)

    async def within_time(self, future: "asyncio.Future[Any]") -> Any:
        self._deadlines[future] = self._loop.time() + self._timeout
        if self._timer is None:
            self._timer = self._loop.call_later(self._timeout, self._give_up)
        try:
            return await future
        finally:
            del self._deadlines[future]

    def fail_all(self, text: str) -> None:
        """Tell all who wait that nothing will come."""
        waiting = [*self._asked.values(), *(group.future for group in self._groups.values())]
        for pending in (self._asked, self._reading, self._groups):
            pending.clear()
        for future in waiting:
            if not future.done():
                future.set_exception(ServerAwayError(text))
                future.exception()  # taken by whoever waits; nobody may be left

    def take(self, message: Msg) -> None:
        key, _, number = message.subject[len(self.inbox) :].partition("-")
        if number:
            self._take_one_of_group(key, int(number), message)
        elif key in self._reading:
            self._take_one_of_many(key, message)
        else:
            future = self._asked.pop(key, None)
            if future is not None and not future.done():
                future.set_result(_read(message))

    def _give_up(self) -> None:
        """Give up if the first has waited too long, else look again when it has: a timer for each cost 4 µs."""
        first = next((deadline for future, deadline in self._deadlines.items() if not future.done()), None)
        self._timer = None
        if first is not None and first > self._loop.time():
            self._timer = self._loop.call_at(first, self._give_up)
        elif first is not None:
            self.fail_all(f"the NATS server at {self._server} did not answer within {self._timeout:g} seconds")

    def _take_one_of_group(self, key: str, number: int, message: Msg) -> None:
        group = self._groups.get(key)
        if group is None:
            return
        group.answers[number] = _read(message)
        group.missing -= 1
        if group.missing == 0:
            del self._groups[key]
            if not group.future.done():
                group.future.set_result(group.answers)

    def _take_one_of_many(self, key: str, message: Msg) -> None:
        headers = message.headers or {}
        if "Status" not in headers:
            place = (int(headers["Nats-Sequence"]), message.data, int(headers.get("Nats-Num-Pending", 0)))
            self._reading[key].append(Found(headers["Nats-Subject"], *place))
            return
        found, future = self._reading.pop(key), self._asked.pop(key)
        if future.done():
            return
        if headers["Status"] in ("204", "404"):
            future.set_result(Read(found, int(headers.get("Nats-UpTo-Sequence", 0))))
        else:
            text = headers.get("Description", "JetStream does not answer")
            future.set_exception(error_of({"code": int(headers["Status"]), "description": text}, "read"))


def _read(message: Msg) -> Any:
    if message.data:
        return json.loads(message.data)
    # Nobody listens: JetStream is off, or there is no such stream.
    return {"error": {"code": 503, "description": "JetStream does not answer"}}
