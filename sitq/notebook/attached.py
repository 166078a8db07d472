"""The main functions of a notebook's worker process: one that belongs to a kernel, and one that is kept after it."""

import asyncio
import json
import logging
import os
import signal
import sys
import threading
from dataclasses import replace

from sitq._niceness import stand_back
from sitq.notebook.lines import FORMAT
from sitq.worker import Worker

ARGUMENTS = "SITQ_WORKER_ARGUMENTS"  # the variable of the environment that holds them, as JSON
KEPT = ":kept"  # how the id of a worker ends that belongs to no kernel; kernels find it in the store by that
_LONG = 1e9  # seconds of grace: as long as they take
_NICE = 10  # so that cells keep their speed beside tasks that compute


def run(main: str) -> None:
    """Call one of the functions below with the arguments that the environment holds."""
    arguments = json.loads(os.environ.pop(ARGUMENTS))
    if main == "main_kept":
        main_kept(*arguments)
    else:
        main_attached(*arguments)


def main_attached(path: str, concurrency: int, grace: float | None) -> None:
    """Serve a store until stdin closes.

    Args:
        grace: seconds that running tasks get then; None lets them end.
    """
    _settle()
    asyncio.run(_serve(path, concurrency, _LONG if grace is None else grace))


def main_kept(path: str, concurrency: int) -> None:
    """Serve a store until SIGTERM, which lets running tasks end; a second one gives them back."""
    _settle()
    worker = Worker(path, max_concurrency=concurrency, executor="process", grace=_LONG)
    worker.info = replace(worker.info, id=worker.info.id + KEPT)
    worker.run()


def _settle() -> None:
    logging.basicConfig(level=logging.INFO, format=FORMAT)
    stand_back(_NICE)


async def _serve(path: str, concurrency: int, grace: float) -> None:
    worker = Worker(path, max_concurrency=concurrency, executor="process", grace=grace)
    stops: list[asyncio.Task[None]] = []
    gone, loop = asyncio.Event(), asyncio.get_running_loop()

    def watch() -> None:
        sys.stdin.buffer.read()
        loop.call_soon_threadsafe(gone.set)

    if sys.platform != "win32":
        loop.add_signal_handler(signal.SIGTERM, lambda: stops.append(loop.create_task(worker.stop(0))))
    threading.Thread(target=watch, name="sitq-lifeline", daemon=True).start()
    serving = asyncio.ensure_future(worker.start())
    leaving = asyncio.ensure_future(gone.wait())
    await asyncio.wait({serving, leaving}, return_when=asyncio.FIRST_COMPLETED)
    if not serving.done():
        await worker.stop()
    await serving
    await asyncio.gather(*stops)
