"""What becomes of tasks that fail: errors, tracebacks, retries, timeouts, and a second chance by hand."""

import asyncio
import tempfile
import threading
from pathlib import Path

from sitq import (
    Retry,
    SerializationError,
    TaskExecutionError,
    TaskHandle,
    TaskQueue,
    TaskTimeoutError,
    Worker,
    current_task,
)


def divide(dividend: float, divisor: float) -> float:
    return dividend / divisor


def fail_twice() -> str:
    task = current_task()
    assert task is not None
    if task.attempt < 3:
        raise ConnectionError(f"attempt {task.attempt} found nobody")
    return f"attempt {task.attempt} got through"


async def dawdle() -> None:
    await asyncio.sleep(60)


async def show_traceback(queue: TaskQueue) -> TaskHandle[float]:
    """Awaiting the value raises; asking for the result does not."""
    handle = await queue.enqueue(divide, 1, 0)
    try:
        await handle
    except TaskExecutionError as error:
        print("raised:", error)
    result = await queue.get_result(handle)
    assert result is not None and result.traceback is not None
    print("traceback ends with:", result.traceback.splitlines()[-1])
    return handle


async def show_retries(queue: TaskQueue) -> None:
    policy = Retry(max_attempts=3, delay=0.05, on=(ConnectionError,))
    handle = await queue.options(retry=policy).enqueue(fail_twice)
    print("retried:", await handle)
    for attempt in await queue.attempts(handle):
        print("  attempt", attempt.attempt, attempt.cause, attempt.error or "")


async def show_timeout(queue: TaskQueue) -> None:
    handle = await queue.options(timeout=0.1).enqueue(dawdle)
    try:
        await handle
    except TaskTimeoutError as error:
        print("timed out:", error)


async def show_unpicklable(queue: TaskQueue) -> None:
    """What cannot be sent is refused at once, and named."""
    lock = threading.Lock()
    try:
        await queue.enqueue(lambda: lock.locked())
    except SerializationError as error:
        print("refused:", error)


async def show_requeue(queue: TaskQueue, handle: TaskHandle[float]) -> None:
    print("requeued by hand:", await handle.requeue())
    result = await queue.get_result(handle)
    assert result is not None
    print("failed again, at attempt", result.attempt)


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "failures.db"
        async with TaskQueue(store) as queue, Worker(store):
            failed = await show_traceback(queue)
            await show_retries(queue)
            await show_timeout(queue)
            await show_unpicklable(queue)
            await show_requeue(queue, failed)


if __name__ == "__main__":
    asyncio.run(main())
