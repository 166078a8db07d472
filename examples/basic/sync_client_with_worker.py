"""Blocking code on one side, a worker in a process of its own on the other, and one file between them."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sitq import SyncTaskQueue, TaskExecutionError

WORKER = "import sys, sitq; sitq.Worker(sys.argv[1], max_concurrency=2).run()"


def add(left: int, right: int) -> int:
    return left + right


@contextmanager
def worker_process(store: Path) -> Iterator[int]:
    """Run a worker beside this program. SIGTERM lets it finish what it runs."""
    process = subprocess.Popen([sys.executable, "-c", WORKER, str(store)])
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait()
        print("the worker ended with exit code", process.returncode)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "shared.db"
        with worker_process(store) as pid, SyncTaskQueue(store) as queue:
            print("value:", queue.get_result(queue.enqueue(add, 20, 22), timeout=10))
            print("in the worker's process:", queue.get_result(queue.enqueue(os.getpid), timeout=10) == pid)

            slow = queue.options(delay=60.0).enqueue(add, 1, 1)
            print("not ready in time:", queue.get_result(slow, timeout=0.1))

            try:
                queue.get_result(queue.enqueue(lambda: [][1]), timeout=10)
            except TaskExecutionError as error:
                print("failed:", error)


if __name__ == "__main__":
    main()
