"""The whole road in one file: enqueue calls of all kinds, let a worker run them, read results and a traceback.

The tasks stay in example.db, for the monitor to show.
"""

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Any

from sitq import Result, Retry, TaskExecutionError, TaskHandle, TaskQueue, Worker, current_task

STORE = "example.db"


async def fetch_page(page: int) -> str:
    await asyncio.sleep(0.2)
    return f"page {page}: 20 products"


def count_primes(below: int) -> int:
    return sum(all(number % divisor for divisor in range(2, int(number**0.5) + 1)) for number in range(2, below))


def reach_supplier() -> str:
    task = current_task()
    if task is not None and task.attempt < 3:
        raise ConnectionError("the supplier is busy")
    return "reached at the third attempt"


def parse_price(text: str) -> float:
    return float(text)


async def enqueue_all(queue: TaskQueue) -> list[TaskHandle[Any]]:
    """Hand in functions of all kinds; the last one will fail."""
    return [
        *await queue.map(fetch_page, [1, 2, 3]),
        await queue.enqueue(count_primes, 20_000),
        await queue.options(name="a lambda").enqueue(lambda words: " ".join(reversed(words)), ["queue", "task", "a"]),
        await queue.options(retry=Retry(max_attempts=3, delay=0.2)).enqueue(reach_supplier),
        await queue.options(delay=1.0, name="one second later").enqueue(time.strftime, "at %X"),
        await queue.enqueue(parse_price, "on request"),
    ]


async def print_as_they_end(queue: TaskQueue, handles: list[TaskHandle[Any]]) -> None:
    async for handle in queue.as_completed(handles):
        info, result = await handle.info(), await queue.get_result(handle)
        if info is not None and result is not None:
            print(f"  {result.status:8}  {info.name:18}  {outcome_of(queue, result)}")


def outcome_of(queue: TaskQueue, result: Result) -> object:
    return queue.deserialize_result(result) if result.status == "success" else result.error


async def print_traceback(handle: TaskHandle[Any]) -> None:
    """Ask for the value of the task that failed: the error brings the traceback of the place where it ran."""
    try:
        await handle
    except TaskExecutionError as error:
        print(f"\nThe value of a failed task raises {type(error).__name__}, with the traceback from the worker:\n")
        print(error.traceback)


async def main() -> None:
    async with TaskQueue(STORE) as queue, Worker(STORE, max_concurrency=4):
        handles = await enqueue_all(queue)
        print(f"{len(handles)} tasks are in {STORE}; a worker runs 4 of them at a time.\n")
        await print_as_they_end(queue, handles)
        await print_traceback(handles[-1])
    print(f"See them in the monitor:  {monitor_command()} {STORE}")


def monitor_command() -> str:
    """Name the monitor's command as it can be typed here."""
    command = Path(sys.executable).with_name("sitq-monitor")
    return os.path.relpath(command) if command.exists() else f"{os.path.relpath(sys.executable)} -m sitq_monitor"


if __name__ == "__main__":
    asyncio.run(main())
