"""Stores tasks in a file that may not grow past a size, and prints what the store says: fill_file.py PATH BYTES"""

import asyncio
import resource
import sys

from sitq.backends.sqlite import SQLiteBackend
from sitq.core import Task, new_task_id
from sitq.exceptions import SitqError


async def main(path: str, size: int) -> None:
    async with SQLiteBackend(path) as backend:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        try:
            while True:
                await backend.enqueue([Task(id=new_task_id(), name="greet", payload=b"x" * 100_000)])
        except SitqError as exc:
            print(f"{type(exc).__name__}: {exc}")


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
