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
        self._number = 0
        self.inbox = ""

    def expect(self, *, many: bool = False) -> "tuple[str, asyncio.Future[Any]]":
        """Make a subject for an answer, and what will hold it.

        Args:
            many: it comes as a list of messages.
        """
        self._number += 1
        key = str(self._number)
        future = self._asked[key] = self._loop.create_future()
        if many:
            self._reading[key] = []
        return f"{self.inbox}{key}", future

    async def within_time(self, future: "asyncio.Future[Any]") -> Any:
        timer = self._loop.call_later(self._timeout, self._give_up, future)
        try:
            return await future
        finally:
            timer.cancel()

    def fail_all(self, text: str) -> None:
        """Tell all who wait that nothing will come."""
        asked, self._asked = self._asked, {}
        self._reading.clear()
        for future in asked.values():
            if not future.done():
                future.set_exception(ServerAwayError(text))
                future.exception()  # taken by whoever waits; nobody may be left

    async def take(self, message: Msg) -> None:
        key = message.subject[len(self.inbox) :]
        if key in self._reading:
            self._take_one_of_many(key, message)
            return
        future = self._asked.pop(key, None)
        if future is None or future.done():
            return
        if message.data:
            future.set_result(json.loads(message.data))
        else:  # nobody listens: JetStream is off, or there is no such stream
            future.set_result({"error": {"code": 503, "description": "JetStream does not answer"}})

    def _give_up(self, future: "asyncio.Future[Any]") -> None:
        if not future.done():
            self.fail_all(f"the NATS server at {self._server} did not answer within {self._timeout:g} seconds")

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
            future.set_result(found)
        else:
            text = headers.get("Description", "JetStream does not answer")
            future.set_exception(error_of({"code": int(headers["Status"]), "description": text}, "read"))
