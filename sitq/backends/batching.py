"""Group commit for stores behind a network: what callers hand in while one write is under way goes with the next."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

Request = TypeVar("Request")
Answer = TypeVar("Answer")


class _Waiting(NamedTuple, Generic[Request]):
    request: Request
    weight: int
    answer: "asyncio.Future[Any]"


class Batcher(Generic[Request, Answer]):
    """Hands requests to `write` in batches, one write at a time.

    No timer decides the batch: a lone caller's request goes at once, and while it is under way the next ones gather.
    A caller that is cancelled goes away alone; what it asked for may be written all the same.

    Args:
        write: writes a batch and gives an answer for each request, in order; one that is an exception is raised at its
            caller. What it raises is raised at all of them.
        limit: how much weight goes into one batch; a request that is heavier goes alone.
    """

    def __init__(
        self, write: Callable[[list[Request]], Awaitable[Sequence[Answer | Exception]]], *, limit: int = 1000
    ) -> None:
        self._write = write
        self._limit = limit
        self._waiting: list[_Waiting[Request]] = []
        self._flusher: asyncio.Task[None] | None = None

    async def do(self, request: Request, *, weight: int = 1) -> Answer:
        """Have one request written, and return its answer or raise it.

        Args:
            weight: how much it adds to its batch, such as the rows that it holds.
        """
        loop = asyncio.get_running_loop()
        waiting = _Waiting(request, weight, loop.create_future())
        self._waiting.append(waiting)
        if self._flusher is None:
            self._flusher = loop.create_task(self._flush())
        answer: Answer = await waiting.answer
        return answer

    async def drain(self) -> None:
        """Wait until nothing is under way."""
        while self._flusher is not None:
            await asyncio.wait({self._flusher})

    async def _flush(self) -> None:
        batch: list[_Waiting[Request]] = []
        try:
            while self._waiting:
                batch = self._next_batch()
                await self._answer(batch)
        finally:
            self._flusher = None
            for waiting in (*batch, *self._waiting):  # only if this very task was cancelled
                waiting.answer.cancel()

    def _next_batch(self) -> list[_Waiting[Request]]:
        weight = 0
        for place, waiting in enumerate(self._waiting):
            weight += waiting.weight
            if weight > self._limit and place:
                break
        else:
            place = len(self._waiting)
        batch, self._waiting = self._waiting[:place], self._waiting[place:]
        return batch

    async def _answer(self, batch: list[_Waiting[Request]]) -> None:
        answers: Sequence[Answer | Exception]
        try:
            answers = await self._write([waiting.request for waiting in batch])
        except Exception as exc:
            answers = [exc] * len(batch)
        for waiting, answer in zip(batch, answers, strict=True):
            if waiting.answer.done():
                continue
            if isinstance(answer, Exception):
                waiting.answer.set_exception(answer)
            else:
                waiting.answer.set_result(answer)
