"""Workers for blocking tests: on a thread of their own, or until nothing is left to do."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sitq.backends.base import Backend
from sitq.worker import Worker


@contextmanager
def serving(backend: Path | Backend) -> Iterator[None]:
    """Serve on a thread for the time of a `with` block."""
    loop_ready, stop = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        async with Worker(backend, grace=0):
            loop_ready.set()
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    loop_ready.wait()
    try:
        yield
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        thread.join()


def drain(path: Path) -> None:
    """Run all that is due."""
    asyncio.run(Worker(path).run_until_empty(timeout=10))
