"""Gathers what running attempts tell of themselves, and hands it to the store a few times a second."""

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable

from sitq.backends.base import Backend
from sitq.core import Claim, Progress, Report
from sitq.exceptions import STORE_TROUBLE
from sitq.running.bars import bar_in
from sitq.sanitize import storable

logger = logging.getLogger("sitq.worker")

_INTERVAL = 0.2  # seconds between two trips with reports
_LONGEST = 65_536  # characters in one chunk
# The store is asked to let old output go when this part of the limit has come on top of it.
_SLACK = 8


class Recorder:
    """Takes what one attempt tells: its newest progress, and the newest of its output. Made for each attempt, so light.

    Args:
        limit: bytes of output to keep.
        notify: called, on any thread, when there is something new.
    """

    __slots__ = ("_claim", "_limit", "_noted", "_notify", "_output", "_progress", "_sent")

    def __init__(self, claim: Claim, limit: int, notify: "Callable[[Recorder], object]") -> None:
        self._claim = claim
        self._limit = limit
        self._notify = notify
        self._progress: Progress | None = None
        self._sent: Progress | None = None
        self._output: _Output | None = None
        self._noted = False

    def progress(self, done: float | None, total: float | None, message: str | None) -> None:
        self._progress = Progress(done, total, message)
        self._note()

    def write(self, stream: str, text: str) -> None:
        if not text:
            return
        if (bar := bar_in(text)) is not None:
            self._progress = bar
        if self._output is None:
            self._output = _Output(self._limit)
        self._output.add(stream, text)
        self._note()

    def take(self) -> Report | None:
        """Give what has come since the last call; None when nothing has."""
        self._noted = False
        progress = self._progress  # kept, and not replaced by None: a thread may be telling the next one just now
        news = None if progress is self._sent else progress
        self._sent = progress
        chunks, keep = ((), None) if self._output is None else self._output.take()
        if news is None and not chunks:
            return None
        if news is not None and news.message is not None:
            news = news._replace(message=storable(news.message))
        return Report(self._claim.id, self._claim.attempt, news, chunks, keep)

    def _note(self) -> None:
        if not self._noted:
            self._noted = True
            self._notify(self)


class _Output:
    """The newest of what an attempt has written, in chunks of one stream each; several threads may write."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._chunks: deque[tuple[str, list[str]]] = deque()
        self._chunk_length = 0  # characters, of the last chunk
        self._held = 0  # characters, of all chunks
        self._room = limit + limit // _SLACK  # bytes until the store must let old ones go

    def add(self, stream: str, text: str) -> None:
        with self._lock:
            self._held += len(text)
            if self._chunks and self._chunks[-1][0] == stream and self._chunk_length + len(text) <= _LONGEST:
                self._chunks[-1][1].append(text)
                self._chunk_length += len(text)
            else:
                self._chunks.append((stream, [text[-self._limit :]]))
                self._chunk_length = len(text)
            while self._held > self._limit and len(self._chunks) > 1:
                self._held -= sum(map(len, self._chunks.popleft()[1]))

    def take(self) -> tuple[tuple[tuple[str, str], ...], int | None]:
        """Give the chunks, and how many bytes the store is to keep if there may be more by now."""
        with self._lock:
            taken, self._chunks, self._held = self._chunks, deque(), 0
        chunks = tuple((stream, storable("".join(texts))) for stream, texts in taken)
        self._room -= sum(len(text.encode()) for _, text in chunks)
        if self._room > 0:
            return chunks, None
        self._room = self._limit // _SLACK
        return chunks, self._limit


class Reports:
    """The recorders of a worker; made on its loop.

    Args:
        limit: bytes of output to keep of each attempt; 0 keeps none.
    """

    def __init__(self, backend: Backend, limit: int) -> None:
        self._backend = backend
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._news: set[Recorder] = set()
        self._unsent: list[Report] = []
        self._something = asyncio.Event()
        self._sending = asyncio.Lock()
        self._carrying: asyncio.Task[None] | None = None

    def recorder(self, claim: Claim) -> Recorder:
        return Recorder(claim, self._limit, self._take_note)

    def start(self) -> None:
        """Begin to carry reports to the store."""
        self._carrying = self._loop.create_task(self._carry())

    async def close(self) -> None:
        if self._carrying is not None:
            self._carrying.cancel()
            await asyncio.wait({self._carrying})

    async def flush(self) -> None:
        """Hand all that has come to the store; before outcomes, as the store takes no reports of ended attempts.

        Raises:
            BackendError: the store failed; the reports stay for the next time.
        """
        if not (self._news or self._unsent):
            return
        async with self._sending:
            news, self._news = self._news, set()
            self._unsent += [report for recorder in news if (report := recorder.take()) is not None]
            if self._unsent:
                await self._backend.report(self._unsent)
                self._unsent = []

    async def _carry(self) -> None:
        while True:
            await self._something.wait()
            await asyncio.sleep(_INTERVAL)
            self._something.clear()
            try:
                await self.flush()
            except STORE_TROUBLE as exc:
                logger.debug("reports must wait: %s", exc)
                self._something.set()

    def _take_note(self, recorder: Recorder) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended, and with it all who listen
            self._loop.call_soon_threadsafe(self._expect, recorder)

    def _expect(self, recorder: Recorder) -> None:
        self._news.add(recorder)
        self._something.set()
