"""A line to a server that can be cut at the worst moment: after the server has done something, before it says so."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Self
from urllib.parse import urlsplit


class Proxy:
    """Passes bytes on between clients and a server."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._lines: set[asyncio.StreamWriter] = set()
        self.cuts_left = 0
        self._passing: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._server.close()
        self.cut()
        await asyncio.gather(*self._passing, return_exceptions=True)

    @property
    def url(self) -> str:
        """Where clients find it."""
        port = self._server.sockets[0].getsockname()[1]
        return self._url._replace(netloc=f"{self._url.username}@127.0.0.1:{port}").geturl()

    def cut(self) -> None:
        """Cut all lines."""
        for line in self._lines:
            line.transport.abort()

    def swallow_replies(self, count: int) -> None:
        """Cut all lines instead of passing the server's next reply on, so many times."""
        self.cuts_left = count

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(self._url.hostname, self._url.port)
        self._lines |= {writer, far_writer}
        for task in (
            asyncio.ensure_future(self._pass(reader, far_writer, lambda data: True)),
            asyncio.ensure_future(self._pass(far_reader, writer, self._may_pass)),
        ):
            self._passing.add(task)

    def _may_pass(self, data: bytes) -> bool:
        # "2" begins the reply to a statement that has run: the cut is to hit no connection that is only being opened.
        if not self.cuts_left or not data.startswith(b"2"):
            return True
        self.cuts_left -= 1
        self.cut()
        return False

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, may_pass: Callable[[bytes], bool]
    ) -> None:
        with contextlib.suppress(OSError):
            while (data := await reader.read(65536)) and may_pass(data):
                writer.write(data)
                await writer.drain()
        writer.close()
