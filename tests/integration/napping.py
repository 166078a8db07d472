"""What tests let worker processes run: a nap that travels by value, and how to wait until it has begun."""

import os
import time
from collections.abc import Callable

from contract.builders import eventually

from sitq.core import TaskStatus
from sitq.queue import TaskQueue


def make_nap() -> Callable[[float], int]:
    """A function that travels by value: it sleeps, and tells which process it ran in."""

    def nap(seconds: float) -> int:
        time.sleep(seconds)
        return os.getpid()

    return nap


async def until_running(queue: TaskQueue, task_id: str) -> None:
    async def running() -> bool:
        info = await queue.get_task(task_id)
        return info is not None and info.status is TaskStatus.RUNNING

    assert await eventually(running, within=15.0)
