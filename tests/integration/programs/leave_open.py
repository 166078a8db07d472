"""Stores a task and ends without closing its backend: leave_open.py PATH"""

import asyncio
import sys

from sitq.backends.sqlite import SQLiteBackend
from sitq.core import Task, new_task_id

backend = SQLiteBackend(sys.argv[1])


async def main() -> None:
    await backend.connect()
    await backend.enqueue([Task(id=new_task_id(), name="greet", payload=b"")])
    await backend.stats()


asyncio.run(main())
