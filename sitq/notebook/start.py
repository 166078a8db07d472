"""`start_worker`, and the workers that it has started: one for each store of this process."""

import os
import threading
from os import PathLike

from sitq.notebook.worker import BackgroundWorker

_MEMORY = ":memory:"

_workers: dict[str, BackgroundWorker] = {}
_lock = threading.Lock()


def start_worker(path: str | PathLike[str] = "jobs.db", *, concurrency: int = 4) -> BackgroundWorker:
    """Start a worker on a file, beside the kernel, and give it back. A cell may call this again and again.

    Calling it again with the same file gives the same worker; with another concurrency the worker begins anew and
    says so. It works inside a running loop, and also in a script or an IPython terminal.

    Args:
        path: the store's file, which is made if it is missing, or its URL.
        concurrency: how many tasks run at once.

    Raises:
        ValidationError: `concurrency` is less than 1.
        ConnectionError: the file cannot be opened.
    """
    place = _place(path)
    with _lock:
        worker = _workers.get(place) or BackgroundWorker(place)
        worker.start(concurrency=concurrency)
        _workers.pop(place, None)
        _workers[place] = worker  # the newest is the last
        return worker


def newest_worker() -> BackgroundWorker | None:
    """Tell which running worker was started last; None if none runs."""
    return next((worker for worker in reversed(_workers.values()) if worker.running), None)


def _place(path: str | PathLike[str]) -> str:
    """Name a store the same, however its path is written and wherever the kernel goes later."""
    text = os.fspath(path)
    return text if text == _MEMORY or "://" in text else os.path.realpath(os.path.expanduser(text))
