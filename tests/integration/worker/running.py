"""Tasks that a test holds and lets go, and the steps that many tests of the worker begin with."""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sitq.backends.sqlite import SQLiteBackend
from sitq.context import current_task
from sitq.core import Result, TaskStatus
from sitq.queue import TaskQueue
from sitq.views import TaskInfo

T = TypeVar("T")


def echo(value: T) -> T:
    return value


async def echo_async(value: T) -> T:
    return value


begun: set[str] = set()


def begin() -> None:
    """Tell that the task at hand has begun: its status is "running" from its claim on, and what has not begun by the
    time the worker stops is given back at once."""
    task = current_task()
    assert task is not None
    begun.add(task.id)


async def hold(gate: Path) -> str:
    """Run on the loop until the gate is there."""
    begin()
    while not gate.exists():
        await asyncio.sleep(0.005)
    return "let go"


def hold_thread(gate: Path) -> str:
    """Run on a thread until the gate is there."""
    begin()
    while not gate.exists():
        time.sleep(0.005)
    return "let go"


async def until(probe: Callable[[], Awaitable[T]], timeout: float = 5.0) -> T:
    """Ask until the answer is truthy, and give it back."""
    deadline = time.monotonic() + timeout
    while not (answer := await probe()):
        assert time.monotonic() < deadline, f"it did not become so in {timeout} s"
        await asyncio.sleep(0.01)
    return answer


async def until_status(queue: TaskQueue, task_id: str, status: TaskStatus) -> TaskInfo:
    async def reached() -> TaskInfo | None:
        info = await queue.get_task(task_id)
        return info if info is not None and info.status is status else None

    info = await until(reached)
    assert info is not None
    return info


async def until_claimed(queue: TaskQueue, task_id: str) -> None:
    await until_status(queue, task_id, TaskStatus.RUNNING)


async def until_begun(*task_ids: str) -> None:
    """Wait until these tasks, whose functions call `begin`, have done so."""

    async def have_begun() -> bool:
        return begun.issuperset(task_ids)

    await until(have_begun)


async def result_of(queue: TaskQueue, task_id: str) -> Result:
    result = await queue.get_result(task_id)
    assert result is not None, f"task {task_id} has not ended"
    return result


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the write lock as another program would."""
    with sqlite3.connect(path, isolation_level=None) as connection:
        connection.execute("begin immediate")
        yield
        connection.execute("rollback")
    connection.close()


def impatient(path: Path) -> SQLiteBackend:
    return SQLiteBackend(path, lock_timeout=0.05)
