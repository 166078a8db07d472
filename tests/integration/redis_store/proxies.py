"""A way to a server on which answers can get lost."""

import asyncio
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit

from sitq.backends.redis.scripts import script


class Proxy:
    """Passes requests on to a server and answers back, but chosen answers are lost with their connection."""

    def __init__(self, url: str) -> None:
        self._upstream = urlsplit(url)
        self._lose: list[bytes] = []
        self._ways: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = self._upstream._replace(netloc=f"127.0.0.1:{port}").geturl()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._server.close()
        for way in self._ways:
            way.cancel()
        await asyncio.gather(*self._ways, return_exceptions=True)

    def lose_answer_to(self, verb: str, *, times: int = 1) -> None:
        """Let the server do the next calls of a verb, and nobody hear of it."""
        self._lose += [script(verb).sha.encode()] * times

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        way = asyncio.current_task()
        assert way is not None
        self._ways.add(way)
        upstream = await asyncio.open_connection(self._upstream.hostname, self._upstream.port)
        try:
            with suppress(ConnectionError, asyncio.CancelledError):
                await self._pass_on(reader, writer, *upstream)
        finally:
            writer.close()
            upstream[1].close()
            self._ways.discard(way)

    async def _pass_on(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        answers: asyncio.StreamReader,
        requests: asyncio.StreamWriter,
    ) -> None:
        """Pass one request on at a time, and its answer back."""
        while request := await reader.read(1 << 20):
            requests.write(request)
            answer = await answers.read(1 << 20)
            if self._lose and self._lose[0] in request:
                del self._lose[0]
                return
            writer.write(answer)
