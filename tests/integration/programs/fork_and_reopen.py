"""Opens a store, forks, and stores a task through a twin made in the child: fork_and_reopen.py PATH_OR_URL"""

import asyncio
import os
import sys
import warnings

from sitq.backends import backend_from_url
from sitq.backends.base import Backend
from sitq.core import Task

warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of a fork beside threads, rightly


async def enqueue(backend: Backend, task_id: str) -> None:
    async with backend:
        await backend.enqueue([Task(id=task_id, name="greet", payload=b"")])


async def main() -> Backend:
    backend = backend_from_url(sys.argv[1])
    await backend.connect()
    return backend


with asyncio.Runner() as runner:
    inherited = runner.run(main())
    if (child := os.fork()) == 0:
        asyncio.run(enqueue(backend_from_url(sys.argv[1]), "child"))
        os._exit(0)
    os.waitpid(child, 0)
    runner.run(enqueue(inherited, "parent"))
