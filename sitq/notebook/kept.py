"""A worker process that is kept when its kernel ends: whichever kernel comes next finds it, and may end it."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence

from sitq._process import ProcessIdentity, this_process
from sitq.core import WorkerInfo
from sitq.notebook.attached import KEPT
from sitq.notebook.lines import last_lines_of
from sitq.notebook.process import MARGIN, Workers, log_of, start_process

_LOOK = 0.02  # seconds


class KeptProcess:
    """A worker in a process that belongs to no kernel.

    Args:
        path: the store's absolute path.
        workers: looks up the workers of the store.
        found: the one that serves already; None to start one.

    Attributes:
        error, trouble: never set; what went wrong is in the log.
    """

    error: BaseException | None = None
    trouble: str | None = None

    def __init__(self, path: str, concurrency: int, workers: Workers, *, found: WorkerInfo | None = None) -> None:
        self.concurrency = concurrency if found is None else found.max_concurrency
        self._path = path
        self._workers = workers
        self._worker = found

    @property
    def alive(self) -> bool:
        return self._worker is not None and _lives(self._worker)

    @property
    def worker_id(self) -> str:
        return "" if self._worker is None else self._worker.id

    @property
    def pid(self) -> int | None:
        return None if self._worker is None else self._worker.pid

    def start(self) -> None:
        """Start the process, unless one was found, and wait until the store knows of it.

        Raises:
            WorkerError: it ended at once, or did not come; the message has its last words.
        """
        if self._worker is None:
            arguments = (self._path, self.concurrency)
            _, self._worker = start_process(self._path, "main_kept", arguments, self._workers, stdin=subprocess.DEVNULL)

    def stop(self, grace: float) -> None:
        """Let the process claim no more, and give back what has not ended in time.

        Args:
            grace: seconds for running tasks.
        """
        for number, seconds in ((signal.SIGTERM, grace), (signal.SIGTERM, MARGIN), (signal.SIGKILL, MARGIN)):
            if self._worker is None or not _lives(self._worker):
                return
            os.kill(self._worker.pid, number)
            self._wait(seconds)

    def last_lines(self, count: int) -> list[str]:
        """Give the last lines that the process has said of itself, and those before it."""
        return last_lines_of(log_of(self._path), count)

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self.alive and time.monotonic() < deadline:
            time.sleep(_LOOK)


def kept_among(workers: Sequence[WorkerInfo]) -> WorkerInfo | None:
    """Find the worker that was kept, among those of a store; None if there is none that this process could end."""
    here = this_process()
    for worker in workers:
        is_near = (worker.host, _space(worker.process)) == (here.host, _space(here.token))
        if worker.id.endswith(KEPT) and worker.alive and is_near and _lives(worker):
            return worker
    return None


def _space(token: str) -> str:
    """What a process has in common with those that its pid means something to."""
    return token.rpartition("/")[0]


def _lives(worker: WorkerInfo) -> bool:
    if ProcessIdentity(worker.host, worker.pid, worker.process).is_surely_dead():
        return False
    try:
        os.kill(worker.pid, 0)  # for systems that cannot tell more
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
