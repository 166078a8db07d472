"""Stores tasks without end, printing the count, until Ctrl-C: enqueue_until_interrupted.py PATH"""

import asyncio
import sys

from sitq.backends.sqlite import SQLiteBackend
from sitq.core import Task, new_task_id


async def main() -> None:
    async with SQLiteBackend(sys.argv[1]) as backend:
        stored = 0
        while True:
            await backend.enqueue([Task(id=new_task_id(), name="greet", payload=b"x" * 2000)])
            stored += 1
            print(stored)


try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("interrupted")
