"""Waits for results: one watcher for all that a queue's callers await."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable, Sequence
from functools import partial
from typing import Any

from sitq.backends.base import Backend
from sitq.core import Result

_SAFETY = 1.0  # seconds between two looks when no hint comes
# After a look at many ids the watcher rests three times as long as the look took, so that it costs at most a quarter
# of one core; a few are looked at whenever something changed.
_REST = 3
_FEW = 32


class ResultWatcher:
    """Resolves waiting callers as their tasks end.

    Args:
        backend: open, on this loop.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._waiting: defaultdict[str, set[asyncio.Future[Result | None]]] = defaultdict(set)
        self._fresh: set[str] = set()
        self._watcher: asyncio.Task[None] | None = None
        self._hint: asyncio.Task[None] | None = None

    async def wait(self, task_id: str, timeout: float | None) -> Result | None:
        """Return the final result; None when `timeout` seconds are over, or when there is no such task."""
        future: asyncio.Future[Result | None] = asyncio.get_running_loop().create_future()
        self._waiting[task_id].add(future)
        self._look_soon(task_id)
        try:
            async with asyncio.timeout(timeout):
                return await future
        except TimeoutError:
            result = (await self._backend.results((task_id,))).get(task_id)
            return result if result is not None and result.status.is_final else None
        finally:
            self._forget(task_id, future)

    async def as_completed(self, ids: Sequence[str]) -> AsyncGenerator[str, None]:
        """Yield ids in the order in which their tasks end; unknown ones come first."""
        ended: asyncio.Queue[str] = asyncio.Queue()
        waits = {task_id: asyncio.ensure_future(self.wait(task_id, None)) for task_id in ids}
        for task_id, wait in waits.items():
            wait.add_done_callback(partial(_announce, ended, task_id))
        try:
            for _ in range(len(waits)):
                task_id = await ended.get()
                await waits[task_id]  # raises what went wrong with the store
                yield task_id
        finally:
            for wait in waits.values():
                wait.cancel()
            await asyncio.gather(*waits.values(), return_exceptions=True)

    async def close(self) -> None:
        """Let all callers go with None."""
        for futures in self._waiting.values():
            _answer(futures, None)
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.wait({self._watcher})

    def _look_soon(self, task_id: str) -> None:
        self._fresh.add(task_id)
        if self._watcher is None:
            self._watcher = asyncio.get_running_loop().create_task(self._watch())
        elif self._hint is not None:
            self._hint.cancel()

    def _forget(self, task_id: str, future: "asyncio.Future[Result | None]") -> None:
        futures = self._waiting[task_id]
        futures.discard(future)
        if not futures:
            del self._waiting[task_id]
            if not self._waiting and self._hint is not None:
                self._hint.cancel()

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                # The hint is asked for before the look, so that nothing can change unseen between the two.
                self._hint = hint = loop.create_task(self._backend.wait(tuple(self._waiting), timeout=_SAFETY))
                begun = loop.time()
                await self._look(self._take_ids())
                rest = _REST * (loop.time() - begun) if len(self._waiting) > _FEW else 0.0
                await asyncio.wait({hint})
                if not hint.cancelled():
                    hint.result()  # raises what went wrong with the store
                if rest and not self._fresh:
                    await asyncio.sleep(rest)
        except Exception as exc:
            self._fail(exc)
        finally:
            if self._hint is not None:
                self._hint.cancel()
            self._watcher = self._hint = None

    def _take_ids(self) -> set[str]:
        """Look only at new ids if there are any: the others were looked at before."""
        fresh, self._fresh = self._fresh, set()
        return fresh.intersection(self._waiting) or set(self._waiting)

    async def _look(self, ids: set[str]) -> None:
        found = await self._backend.results(ids)
        for task_id in ids:
            result = found.get(task_id)
            if result is None or result.status.is_final:
                _answer(self._waiting.get(task_id, ()), result)

    def _fail(self, exc: Exception) -> None:
        for futures in self._waiting.values():
            for future in futures:
                if not future.done():
                    future.set_exception(exc)


def _answer(futures: "Iterable[asyncio.Future[Result | None]]", result: Result | None) -> None:
    for future in futures:
        if not future.done():
            future.set_result(result)


def _announce(ended: "asyncio.Queue[str]", task_id: str, _: "asyncio.Future[Any]") -> None:
    ended.put_nowait(task_id)
