"""Stores a task and ends without closing its backend: leave_open.py PATH_OR_URL"""

import asyncio
import sys

from sitq.backends import backend_from_url
from sitq.core import Task, new_task_id

backend = backend_from_url(sys.argv[1])


async def main() -> None:
    await backend.connect()
    await backend.enqueue([Task(id=new_task_id(), name="greet", payload=b"")])
    await backend.stats()


asyncio.run(main())
