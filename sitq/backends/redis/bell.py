"""Wakes who waits for a change of a Redis store: by what its verbs publish, and when a task becomes due."""

import asyncio
import json
import logging
from collections.abc import Collection

from sitq.backends.moments import in_seconds
from sitq.backends.redis.connection import Connection
from sitq.backends.waiters import Waiters
from sitq.exceptions import SitqError

logger = logging.getLogger(__name__)

# What is asked for again and again, mostly in vain: a lane has more to hand out, a running task is to stop, schedules.
LANES, STOP, SCHEDULES = "lanes", "stop", "schedules"
TOPICS = (LANES, STOP, SCHEDULES)

_POLL = 1.0  # seconds after which a wait returns while nothing can be heard
_PATIENCE = 15.0  # seconds of silence after which the server is asked whether it is there
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0  # seconds between two tries to listen


class Bell:
    """Wakes the waiters of one backend, on its loop, over one subscription that begins with the first wait.

    Args:
        connection: for the subscription alone; not open yet.
        channel: where the store's verbs publish.
    """

    def __init__(self, connection: Connection, channel: str) -> None:
        self._connection = connection
        self._channel = channel
        self._loop = asyncio.get_running_loop()
        self._waiters = Waiters()
        self._due_at = float("inf")
        self._due: asyncio.TimerHandle | None = None
        self._listener: asyncio.Task[None] | None = None
        self._hearing = False
        self._closed = False
        self._heard: dict[str, int] = dict.fromkeys(TOPICS, 0)

    def heard(self, topic: str) -> int | None:
        """A number that grows with each change of a topic; None while nothing can be heard."""
        return self._heard[topic] if self._hearing else None

    async def close(self) -> None:
        """Let all waiters go and hear no more."""
        self._closed, self._hearing = True, False
        if self._due is not None:
            self._due.cancel()
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.wait({self._listener})
        self._waiters.wake()

    async def wait(self, keys: Collection[str], *, timeout: float) -> bool:
        """Return True when one of the keys may have changed or a task becomes due, False after `timeout` seconds.

        Args:
            keys: lanes and task ids; empty means any.
        """
        if self._closed:
            return True
        if self._listener is None:
            self._listener = self._loop.create_task(self._listen())
        if self._hearing or timeout <= _POLL:
            return await self._waiters.wait(keys, timeout=timeout)
        await self._waiters.wait(keys, timeout=_POLL)
        return True  # whether anything has changed cannot be heard

    def plan(self, seconds: float) -> None:
        """Note that a task becomes due in so many seconds."""
        due_at = self._loop.time() + seconds
        if due_at < self._due_at and not self._closed:
            if self._due is not None:
                self._due.cancel()
            self._due_at = due_at
            self._due = self._loop.call_at(due_at, self._ring_due)

    def note(self, topic: str) -> None:
        """Note a change of a topic, before it is heard."""
        self._heard[topic] += 1

    def _ring_due(self) -> None:
        self._due, self._due_at = None, float("inf")
        self.note(LANES)
        self._waiters.wake()

    async def _listen(self) -> None:
        """Hear what is published, and begin anew when the server went away."""
        pause = _FIRST_PAUSE
        try:
            while True:
                try:
                    await self._connection.command("SUBSCRIBE", self._channel)
                    logger.debug("listening to %s", self._connection.shown)
                    pause = _FIRST_PAUSE
                    self._begin_to_hear()
                    await self._hear()
                except SitqError as exc:
                    self._hearing = False
                    logger.warning("cannot listen for changes: %s; looking once a second", exc)
                await self._connection.close()
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
        finally:
            self._hearing = False
            await self._connection.close()

    def _begin_to_hear(self) -> None:
        self._hearing = True
        self._anything_changed()  # unheard

    def _anything_changed(self) -> None:
        for topic in TOPICS:
            self.note(topic)
        self._waiters.wake()

    async def _hear(self) -> None:
        asked = False
        while True:
            message = await self._connection.next_message(_PATIENCE)
            if message is not None:
                asked = False
                self._take(message)
            elif asked:
                return  # it does not answer
            else:
                asked = True
                await self._connection.tell("PING")

    def _take(self, message: list[bytes]) -> None:
        if message[0] != b"message":
            return
        due, topics, *keys = json.loads(message[2])
        if due:
            self.plan(in_seconds(int(due)))
        for topic in topics.split():
            self.note(topic)
        if keys == [""]:
            self._anything_changed()
        elif keys:
            self._waiters.wake(keys)
