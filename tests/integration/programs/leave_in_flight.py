"""Ends its loop while operations are in flight, and then uses the backend again: leave_in_flight.py PATH_OR_URL"""

import asyncio
import sys

from sitq.backends import backend_from_url
from sitq.core import Task, new_task_id

backend = backend_from_url(sys.argv[1])
unfinished = set()


async def leave() -> None:
    await backend.connect()
    for _ in range(50):
        task = Task(id=new_task_id(), name="greet", payload=b"x" * 10_000)
        unfinished.add(asyncio.create_task(backend.enqueue([task])))
    unfinished.add(asyncio.create_task(backend.stats()))
    unfinished.add(asyncio.create_task(backend.wait([], timeout=30.0)))
    await asyncio.sleep(0)


async def come_back() -> None:
    async with backend:
        await backend.enqueue([Task(id="last", name="greet", payload=b"")])
        print(len(await backend.results(["last"])))


asyncio.run(leave())
asyncio.run(come_back())
