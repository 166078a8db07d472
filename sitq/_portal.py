"""An event loop on a daemon thread of its own, for blocking code: in scripts, in threads, and beside a running loop."""

import asyncio
import os
import sys
import threading
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")

# Seconds between two looks at signals while waiting: Windows delivers Ctrl-C only to a thread that runs Python.
_TICK = 0.2
# Whatever policy somebody has set for loops of theirs, such as that of uvloop or of a toolkit for windows.
if sys.platform == "win32":
    _PLAIN_LOOP = asyncio.ProactorEventLoop
else:
    _PLAIN_LOOP = asyncio.SelectorEventLoop


class Portal:
    """Runs coroutines on its own loop while the caller blocks.

    The thread is a daemon, and so are the threads that it starts: an unclosed portal never holds up an exit.

    Args:
        name: name of the thread.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._pid = 0
        self._starting = threading.Lock()

    @property
    def running(self) -> bool:
        return self._loop is not None and self._pid == os.getpid()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop, while the portal runs.

        Raises:
            RuntimeError: it does not run.
        """
        if self._loop is None or not self.running:
            raise RuntimeError(f"portal {self._name} is not running; start() it first")
        return self._loop

    def start(self) -> None:
        """Start the thread and wait until its loop runs. Starting twice is harmless."""
        with self._starting:
            if self.running:
                return
            ready = threading.Event()
            self._thread = threading.Thread(target=self._run, args=(ready,), name=self._name, daemon=True)
            self._thread.start()
            ready.wait()
            self._pid = os.getpid()

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and return what it returns; the caller blocks, and Ctrl-C still reaches it.

        An interrupted call is cancelled.

        Raises:
            RuntimeError: called on the portal's own thread, where it would wait for itself.
        """
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise RuntimeError("a blocking call from sitq's own thread would wait for itself; await it instead")
        call = _Call(coroutine)
        try:
            self.loop.call_soon_threadsafe(call.begin)
        except RuntimeError:
            coroutine.close()
            raise
        try:
            while not call.ended.acquire(timeout=_TICK):
                pass
        except BaseException:
            self.loop.call_soon_threadsafe(call.cancel)
            raise
        if call.error is not None:
            raise call.error
        return call.value

    def stop(self) -> None:
        """Cancel what runs, end the loop and wait for its thread. Stopping twice is harmless."""
        loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None or self._pid != os.getpid():
            return
        loop.call_soon_threadsafe(loop.stop)
        if thread is not threading.current_thread():
            thread.join()

    def _run(self, ready: threading.Event) -> None:
        with asyncio.Runner(loop_factory=_PLAIN_LOOP) as runner:
            self._loop = loop = runner.get_loop()
            loop.call_soon(ready.set)
            loop.run_forever()


class _Call(Generic[T]):
    """A coroutine on its way through the portal. A lock is the cheapest way back to the waiting thread."""

    value: T

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine
        self._task: asyncio.Task[None] | None = None
        self.error: BaseException | None = None
        self.ended = threading.Lock()
        self.ended.acquire()

    def begin(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        try:
            self.value = await self._coroutine
        except BaseException as exc:
            self.error = exc
        finally:
            self.ended.release()  # here and not in a callback, which would come a turn of the loop later


def loop_runs_here() -> bool:
    """Tell whether the calling code runs on an event loop, which it would block if it waited."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
