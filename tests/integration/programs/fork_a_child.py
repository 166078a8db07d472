"""Opens a store, forks, and prints what each verb says to the child: fork_a_child.py PATH_OR_URL"""

import asyncio
import os
import sys
import warnings

from sitq.backends import backend_from_url
from sitq.backends.base import Backend
from sitq.core import Task, new_task_id
from sitq.exceptions import BackendError
from sitq.views import TaskQuery

warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of a fork beside threads, rightly


async def use(backend: Backend) -> None:
    task = Task(id=new_task_id(), name="greet", payload=b"")
    for verb in (backend.enqueue([task]), backend.list_tasks(TaskQuery()), backend.wait([], timeout=0.1)):
        try:
            await verb
        except BackendError as exc:
            print(f"refused: {exc}")
        except Exception as exc:
            print(f"another error: {exc!r}")
        else:
            print("not refused")


def use_in_child(backend: Backend) -> None:
    if (child := os.fork()) == 0:
        asyncio.run(use(backend))
        os._exit(0)
    os.waitpid(child, 0)


async def main() -> None:
    async with backend_from_url(sys.argv[1]) as backend:
        await backend.stats()
        use_in_child(backend)
        await backend.enqueue([Task(id="parent", name="greet", payload=b"")])
        print("parent goes on")


asyncio.run(main())
