"""The link to a NATS server: made once, and made again by the driver for as long as it takes."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

import nats
import nats.errors
from nats.aio.msg import Msg

from sitq.backends.nats.address import Address
from sitq.backends.nats.driver import Driver
from sitq.backends.nats.errors import ServerAwayError, reason_of
from sitq.exceptions import ConnectionError, ResourceExhaustionError

logger = logging.getLogger(__name__)

_TRIES = 2  # of the first connection, each as long as an answer may take


class Link:
    """Sends messages to the server, and hears those that are for this client.

    Args:
        timeout: seconds that one try to connect may take.
        on_lost: called with the reason when the link is lost.

    Attributes:
        on_again: called when it is there again.
    """

    def __init__(self, address: Address, *, timeout: float, on_lost: Callable[[str], None]) -> None:
        self._address = address
        self._timeout = timeout
        self._on_lost = on_lost
        self.on_again: Callable[[], None] | None = None
        self._trouble: Exception | None = None
        self._client = Driver()

    @property
    def max_payload(self) -> int:
        return self._client.max_payload

    @property
    def sent(self) -> int:
        return int(self._client.stats["out_msgs"])

    @property
    def server_version(self) -> tuple[int, int]:
        version = self._client.connected_server_version
        return version.major, version.minor

    async def open(self) -> None:
        """Connect for the first time; only later does the driver try again and again.

        Raises:
            ConnectionError: no server answers, or none lets this user in.
        """
        try:
            # The driver itself waits for ever for the end of a connection whose certificate it does not trust.
            async with asyncio.timeout(_TRIES * self._timeout):
                await self._client.connect(
                    servers=list(self._address.servers),
                    max_reconnect_attempts=1,
                    reconnect_time_wait=0.1,  # type: ignore[arg-type]  # seconds to sleep; the driver says int
                    connect_timeout=max(1, round(self._timeout)),
                    error_cb=self._note_trouble,
                    disconnected_cb=self._lost,
                    reconnected_cb=self._there_again,
                    pending_size=64 * 1024**2,
                )
        except (OSError, TimeoutError, nats.errors.Error) as exc:
            with contextlib.suppress(AttributeError, TimeoutError):  # older drivers cannot close what was never open
                async with asyncio.timeout(self._timeout):
                    await self._client.close()
            reason = reason_of(self._trouble or exc)
            raise ConnectionError(f"cannot reach the NATS server at {self._address.shown}: {reason}") from exc
        self._client.options["max_reconnect_attempts"] = -1  # from now on for ever

    async def close(self) -> None:
        if not self._client.is_closed:
            await self._client.close()
        await self._end_reconnecting()

    async def _end_reconnecting(self) -> None:
        """See to the end of the driver's task that looks for a lost server.

        Its cancellation gets lost where a try fails at that very moment: `asyncio.wait_for` forgets it before Python
        3.12. The task would go on for ever, and hold up the end of the loop.
        """
        task = self._client._reconnection_task
        while task is not None and not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=0.1)

    def new_inbox(self) -> str:
        """Make a subject that nobody else listens on."""
        return self._client.new_inbox()

    async def subscribe(
        self, subject: str, callback: Callable[[Msg], Awaitable[None]]
    ) -> Callable[[], Awaitable[None]]:
        """Listen on a subject; answers what ends it."""
        self.check()
        listening = await self._client.subscribe(subject, cb=callback, pending_msgs_limit=0, pending_bytes_limit=0)

        async def end() -> None:
            if not self._client.is_closed:
                await listening.unsubscribe()

        return end

    async def listen(self, subject: str, take: Callable[[Msg], None]) -> None:
        """Hand over each message of a subject as it is read, for as long as the link lasts."""
        await self._client.listen(subject, take)

    async def send(self, subject: str, body: bytes, *, reply: str = "", headers: dict[str, str] | None = None) -> None:
        """Send a message.

        Args:
            reply: the subject on which its answer is awaited.
        """
        self.check()
        try:
            await self._client.publish(subject, body, reply=reply, headers=headers or None)
        except nats.errors.MaxPayloadError as exc:
            raise ResourceExhaustionError(
                f"the NATS server takes {self.max_payload} bytes a message, {len(body)} were given"
            ) from exc
        except nats.errors.Error as exc:
            raise ServerAwayError(f"the NATS server at {self._address.shown} is away: {reason_of(exc)}") from exc

    def check(self) -> None:
        """Fail at once while the server is away, instead of keeping what is sent for later."""
        if not self._client.is_connected:
            raise ServerAwayError(f"the NATS server at {self._address.shown} is away; it is tried again")

    async def _note_trouble(self, exc: Exception) -> None:
        self._trouble = exc
        logger.debug("NATS: %s", reason_of(exc))

    async def _lost(self) -> None:
        if not self._client.is_closed:
            logger.warning("the connection to %s was lost; it is made again", self._address.shown)
        self._on_lost(f"the connection to {self._address.shown} was lost")

    async def _there_again(self) -> None:
        logger.warning("the connection to %s is there again", self._address.shown)
        if self.on_again is not None:
            self.on_again()
