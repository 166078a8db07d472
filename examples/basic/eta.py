"""Tasks for later: at a moment in any timezone, or after a number of seconds."""

import asyncio
import tempfile
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from sitq import TaskQueue, Worker

KATHMANDU = timezone(timedelta(hours=5, minutes=45), "Kathmandu")


def now() -> float:
    return time.time()


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "later.db"
        async with TaskQueue(store) as queue, Worker(store):
            begun = time.time()
            in_half_a_second = datetime.now(KATHMANDU) + timedelta(seconds=0.5)
            handles = {
                "at a moment in Kathmandu": await queue.enqueue(now, eta=in_half_a_second),
                "one second later": await queue.options(delay=1.0).enqueue(now),
                "at a moment that has passed": await queue.enqueue(now, eta=datetime.now(UTC) - timedelta(days=1)),
            }
            async for handle in queue.as_completed(handles.values()):
                waited = await handle - begun
                print(f"after {waited:.1f} s: {next(what for what, other in handles.items() if other == handle)}")
            await refuse_naive(queue)


async def refuse_naive(queue: TaskQueue) -> None:
    """A moment without a timezone could mean two different ones."""
    try:
        await queue.enqueue(now, eta=datetime(2026, 1, 1))
    except ValueError as error:
        print("refused:", error)


if __name__ == "__main__":
    asyncio.run(main())
