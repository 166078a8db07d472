"""Uses one backend on three loops in turn and closes it on a fourth: reuse_on_next_loop.py PATH_OR_URL"""

import asyncio
import sys

from sitq.backends import backend_from_url
from sitq.core import Task, new_task_id
from sitq.views import TaskQuery

backend = backend_from_url(sys.argv[1])


async def use() -> None:
    await backend.connect()
    await backend.enqueue([Task(id=new_task_id(), name="greet", payload=b"")])
    print(len(await backend.list_tasks(TaskQuery())))


for _ in range(3):
    asyncio.run(use())
asyncio.run(backend.close())
