"""Stores tasks one by one, with pauses, and prints the moment of each commit: commit_at_intervals.py PATH COUNT PAUSE

The moments are those of the monotonic clock, which on Linux all processes share.
"""

import asyncio
import sys
import time

from sitq.backends.sqlite import SQLiteBackend
from sitq.core import Task, new_task_id


async def main(path: str, count: int, pause: float) -> None:
    async with SQLiteBackend(path) as backend:
        for _ in range(count):
            await asyncio.sleep(pause)
            print(time.monotonic())
            await backend.enqueue([Task(id=new_task_id(), name="greet", payload=b"")])


asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
