"""`start_worker`, and the workers that it has started: one for each store of this process."""

import os
import threading
from collections.abc import Sequence
from os import PathLike
from types import ModuleType

import cloudpickle

from sitq.notebook.worker import BackgroundWorker

_MEMORY = ":memory:"

# A module that is run again, as %autoreload does, must find what it has started.
_workers: dict[str, BackgroundWorker] = globals().get("_workers", {})
_lock = threading.Lock()


def start_worker(
    path: str | PathLike[str] = "jobs.db",
    *,
    concurrency: int = 4,
    mode: str = "thread",
    show: bool = False,
    on_kernel_exit: str = "drain",
    by_value: Sequence[ModuleType] = (),
) -> BackgroundWorker:
    """Start a worker on a file, beside the kernel, and give it back. A cell may call this again and again.

    Calling it again with the same file gives the same worker; in another mode or with another concurrency the worker
    begins anew and says so. It works inside a running loop, and also in a script or an IPython terminal.

    Args:
        path: the store's file, which is made if it is missing, or its URL.
        concurrency: how many tasks run at once.
        mode: "thread" serves on threads of this process; "process" in a process of its own, where functions that are
            no coroutine functions get child processes: they use all cores, and are killed when cancelled.
        show: show the live panel below the cell.
        on_kernel_exit: what a worker process does when this process ends, however it ends: "drain" lets running tasks
            end, "stop" gives them back, "keep" goes on with all of them. The next call with the same file on this
            machine, in whatever mode, finds the process that was kept, and says so; `stop` ends it.
        by_value: modules of yours that are still being edited; their functions are sent with their code.

    Raises:
        ValidationError: an argument cannot be right.
        ConnectionError: the file cannot be opened.
        WorkerError: the worker process did not start.
    """
    for module in by_value:
        cloudpickle.register_pickle_by_value(module)
    place = _place(path)
    with _lock:
        worker = _workers.get(place) or BackgroundWorker(place)
        worker.start(concurrency=concurrency, mode=mode, on_kernel_exit=on_kernel_exit)
        _workers.pop(place, None)
        _workers[place] = worker  # the newest is the last
    if show:
        worker.show()
    return worker


def newest_worker() -> BackgroundWorker | None:
    """Tell which running worker was started last; None if none runs."""
    return next((worker for worker in reversed(_workers.values()) if worker.running), None)


def _place(path: str | PathLike[str]) -> str:
    """Name a store the same, however its path is written and wherever the kernel goes later."""
    text = os.fspath(path)
    return text if text == _MEMORY or "://" in text else os.path.realpath(os.path.expanduser(text))
