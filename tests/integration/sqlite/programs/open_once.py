"""Waits for a moment of the wall clock, opens a store and stores a task: open_once.py PATH MOMENT"""

import asyncio
import sys
import time

from sitq.backends.sqlite import SQLiteBackend
from sitq.core import Task, new_task_id


async def main(path: str) -> None:
    async with SQLiteBackend(path) as backend:
        await backend.enqueue([Task(id=new_task_id(), name="greet", payload=b"")])


time.sleep(max(0.0, float(sys.argv[2]) - time.time()))
asyncio.run(main(sys.argv[1]))
