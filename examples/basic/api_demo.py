"""A tour of the API in the order in which one meets it: enqueue, wait, look, cancel, options, errors."""

import asyncio
import operator
import tempfile
from pathlib import Path

from sitq import Retry, TaskExecutionError, TaskQuery, TaskQueue, TaskStatus, Worker, explain


async def greet(name: str) -> str:
    await asyncio.sleep(0.05)
    return f"Hello, {name}!"


async def sleep_long() -> None:
    await asyncio.sleep(60)


async def enqueue_and_await(queue: TaskQueue) -> None:
    """A handle is the task's id, and can be awaited."""
    handle = await queue.enqueue(greet, "World")
    print("id:", len(handle), "characters, status:", await handle.status())
    print("value:", await handle)


async def get_result(queue: TaskQueue) -> None:
    """The result tells more than the value: when, by whom, at which attempt."""
    result = await queue.get_result(await queue.enqueue(operator.mul, 6, 7), timeout=5)
    assert result is not None and result.finished_at is not None
    print("result:", result.status, queue.deserialize_result(result), "at attempt", result.attempt)


async def enqueue_many_at_once(queue: TaskQueue) -> None:
    squares = await queue.map(pow, range(5), [2] * 5)
    print("map:", await asyncio.gather(*squares))
    sums = await queue.enqueue_many(operator.add, [(1, 1), (2, 3), (5, 8)])
    print("enqueue_many:", [await total for total in sums])


async def cancel_one(queue: TaskQueue) -> None:
    handle = await queue.enqueue(sleep_long)
    await handle.cancel()
    try:
        await handle
    except TaskExecutionError as error:
        print("cancelled:", error)


async def set_options(queue: TaskQueue) -> None:
    """Options make a view of the queue; whatever is wrong with one is said before anything is stored."""
    mail = queue.options(queue="mail", retry=Retry(max_attempts=3), timeout=10.0, tags=["demo"])
    handle = await mail.options(name="a letter", priority=5).enqueue(greet, "Ada")
    info = await handle.info()
    assert info is not None
    print("options:", info.name, info.queue, info.priority, info.max_attempts, info.tags)
    try:
        queue.options(prioritty=1)
    except ValueError as error:
        print("refused:", error)


async def look_around(queue: TaskQueue) -> None:
    failed = await queue.list_tasks(TaskQuery(statuses=(TaskStatus.CANCELLED,)))
    print("cancelled tasks:", [info.name for info in failed])
    stats = await queue.stats()
    print("lanes:", [lane.queue for lane in stats.queues], "workers:", len(stats.workers))


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "tour.db"
        async with TaskQueue(store) as queue, Worker(store, max_concurrency=4):
            await enqueue_and_await(queue)
            await get_result(queue)
            await enqueue_many_at_once(queue)
            await cancel_one(queue)
            await set_options(queue)
            await look_around(queue)
    print(explain(greet, "World"))


if __name__ == "__main__":
    asyncio.run(main())
