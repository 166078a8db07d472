"""Enqueue, work, collect: a queue and a worker that share one backend, in a file that outlives both."""

import asyncio
import tempfile
from pathlib import Path

from sitq import SQLiteBackend, TaskQueue, Worker

SENTENCE = "a task that is stored is a task that will run"


async def measure(word: str) -> tuple[str, int]:
    await asyncio.sleep(0.05)
    return word, len(word)


async def enqueue(store: Path) -> list[str]:
    """Store the calls and leave; nothing runs yet."""
    async with TaskQueue(store) as queue:
        return [str(await queue.enqueue(measure, word)) for word in SENTENCE.split()]


async def work(store: Path) -> None:
    """Run all that is there, then leave."""
    await Worker(store, max_concurrency=3).run_until_empty(timeout=30)


async def collect(store: Path, ids: list[str]) -> dict[str, int]:
    async with TaskQueue(store) as queue:
        return dict([await queue.handle(task_id) for task_id in ids])


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "words.db"
        ids = await enqueue(store)
        print(f"enqueued {len(ids)} tasks")
        await work(store)
        lengths = await collect(store, ids)
        print("longest word:", max(lengths, key=lengths.__getitem__))

        async with SQLiteBackend(store) as backend:  # one backend may serve both doors; who opens it closes it
            queue, worker = TaskQueue(backend), Worker(backend)
            handle = await queue.enqueue(measure, "shared")
            await worker.run_until_empty(timeout=30)
            print("on a shared backend:", await handle)


if __name__ == "__main__":
    asyncio.run(main())
