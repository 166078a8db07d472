"""The side of a background worker that works, in a process of its own: it survives the kernel's crash, not its will."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sitq.core import WorkerInfo
from sitq.exceptions import WorkerError
from sitq.notebook.attached import ARGUMENTS
from sitq.notebook.lines import last_lines_of
from sitq.sanitize import without_password

_ROOT = str(Path(__file__).parents[2])
_START = "import sys; sys.path[:] = {path!r}; from sitq.notebook.attached import run; run({main!r})"
_PATIENCE = 10.0  # seconds for the process to present itself at the store
_LOOK = 0.02
MARGIN = 3.0  # seconds after the grace, to give back
_LAST_WORDS = 3  # lines

Workers = Callable[[], Sequence[WorkerInfo]]


class WorkerProcess:
    """A worker in a child process and a session of its own; what it says goes into a log file beside the store.

    Args:
        path: the store's absolute path.
        drains: let running tasks end when the kernel is gone; else they are given back.
        workers: looks up the workers of the store.

    Attributes:
        error, trouble: never set; what went wrong is in the log.
    """

    error: BaseException | None = None
    trouble: str | None = None

    def __init__(self, path: str, concurrency: int, *, drains: bool, workers: Workers) -> None:
        self.concurrency = concurrency
        self._path = path
        self._drains = drains
        self._workers = workers
        self._process: subprocess.Popen[bytes] | None = None
        self.worker_id = ""

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the process, and wait until the store knows of it.

        Raises:
            WorkerError: it ended at once, or did not come; the message has its last words.
        """
        arguments = (self._path, self.concurrency, None if self._drains else 0.0)
        self._process, worker = start_process(
            self._path, "main_attached", arguments, self._workers, stdin=subprocess.PIPE
        )
        self.worker_id = worker.id

    def stop(self, grace: float) -> None:
        """Close the pipe, so that the process claims no more, and let it give back what has not ended in time.

        Args:
            grace: seconds for running tasks.
        """
        process = self._process
        if process is None or process.stdin is None:
            return
        process.stdin.close()
        for end, seconds in ((process.terminate, grace), (process.kill, MARGIN)):
            try:
                process.wait(seconds)
                return
            except subprocess.TimeoutExpired:
                end()
        process.wait()

    def last_lines(self, count: int) -> list[str]:
        """Give the last lines that the process has said of itself, and those before it."""
        return last_lines_of(log_of(self._path), count)


def log_of(path: str) -> Path:
    """Tell where a worker process writes what it says: beside the store's file, or for a server in this folder."""
    if "://" not in path:
        return Path(f"{path}.log")
    return Path(re.sub(r"[^A-Za-z0-9._-]+", "-", f"sitq-{without_password(path)}.log"))


def start_process(
    path: str, main: str, arguments: tuple[Any, ...], workers: Workers, *, stdin: int
) -> tuple[subprocess.Popen[bytes], WorkerInfo]:
    """Start a worker process with this one's import path and folder, and wait until the store knows of it.

    Args:
        main: the function of `sitq.notebook.attached` that it runs.

    Raises:
        WorkerError: it ended at once, or did not come; the message has its last words.
    """
    code = _START.format(path=[_ROOT, *sys.path], main=main)
    # Not among the words of the command, which all users of the machine can read: a URL may hold a password.
    environment = {**os.environ, ARGUMENTS: json.dumps(arguments)}
    with log_of(path).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=stdin,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,
        )
    # A child that has ended and that nobody waits for holds up the shutdown of a kernel until that is killed.
    threading.Thread(target=process.wait, name="sitq-reaper", daemon=True).start()
    deadline = time.monotonic() + _PATIENCE
    while True:
        for worker in workers():
            if worker.pid == process.pid and worker.alive:
                return process, worker
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            last_words = " / ".join(last_lines_of(log_of(path), _LAST_WORDS)) or "nothing"
            raise WorkerError(f"the worker process did not start; {log_of(path)} ends with: {last_words}")
        time.sleep(_LOOK)
