"""Reads what the calls of a child process print, and knows where each call ends."""

import asyncio
import codecs
import contextlib

from sitq.context import Reporter

_PATIENCE = 0.5  # seconds to wait for what may never come
_READ = 65_536  # bytes
_KEPT = 20_000  # characters, in which Python's last words are looked for


class MarkedStream:
    """One stream of a child, cut by a marker that the child prints after each call.

    Attributes:
        tail: the newest of what the running call has printed.
    """

    def __init__(self, name: str, pipe: asyncio.StreamReader, marker: str) -> None:
        self.tail = ""
        self._name = name
        self._pipe = pipe
        self._marker = f"\0{marker}\0"
        self._reporter: Reporter | None = None
        self._marked = asyncio.Event()
        self._held = ""  # may be the beginning of a marker
        self._reading = asyncio.get_running_loop().create_task(self._read())

    def begin(self, reporter: Reporter) -> None:
        self.tail = ""
        self._reporter = reporter
        self._marked.clear()

    async def wait_marked(self) -> None:
        """Wait until all that the call printed has been read; not for long, as it may have closed its streams."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await self._marked.wait()

    async def close(self) -> None:
        """Read what is left. What the call started may still hold the other end open."""
        await asyncio.wait({self._reading}, timeout=_PATIENCE)
        self._reading.cancel()
        await asyncio.wait({self._reading})

    async def _read(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        while data := await self._pipe.read(_READ):
            self._take(decoder.decode(data))
        self._give(self._held + decoder.decode(b"", final=True))

    def _take(self, text: str) -> None:
        text, marked, rest = (self._held + text).partition(self._marker)
        if marked:
            self._give(text)
            self._held = rest
            self._marked.set()
            return
        cut = text.rfind("\0", max(0, len(text) - len(self._marker)))
        self._held = "" if cut < 0 or not self._marker.startswith(text[cut:]) else text[cut:]
        self._give(text[: len(text) - len(self._held)])

    def _give(self, text: str) -> None:
        self.tail = (self.tail + text)[-_KEPT:]
        if text and self._reporter is not None:
            self._reporter.write(self._name, text)
