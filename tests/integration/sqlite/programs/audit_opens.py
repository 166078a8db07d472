"""Uses a store in many ways and prints each file beside it that Python itself opened: audit_opens.py PATH

What SQLite opens does not come through Python's `open` and is not printed.
"""

import asyncio
import os
import sys
from typing import Any

from sitq.backends.sqlite import SQLiteBackend
from sitq.queue import TaskQueue
from sitq.views import TaskQuery
from sitq.worker import Worker

path = sys.argv[1]


def note(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and isinstance(arguments[0], str | bytes) and os.fsdecode(arguments[0]).startswith(path):
        flags = "exclusively" if arguments[2] & os.O_EXCL else "again"
        sys.stdout.write(f"{flags} {os.fsdecode(arguments[0])}\n")


async def main() -> None:
    backend = SQLiteBackend(path)
    async with backend, backend.twin() as twin:
        task = await TaskQueue(backend).enqueue(abs, -1)
        await Worker(twin).run_until_empty(timeout=10.0)
        await twin.results([task])
        await backend.list_tasks(TaskQuery())
        await backend.wait((), timeout=0.05)
        await backend.purge(older_than=0.0)
    async with backend:
        await backend.stats()


sys.addaudithook(note)
asyncio.run(main())
