"""Stores tasks that note and return their number, and prints "number id" for each: producer.py PATH NOTES FIRST COUNT

Half of them go in batches, half one by one from many callers at once.
"""

import asyncio
import os
import sys
from collections.abc import Iterable

from sitq.queue import TaskQueue


def note(folder: str, number: int) -> int:
    """Append the number to a file of the process that runs this, in one write."""
    file = os.open(f"{folder}/{os.getpid()}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(file, f"{number}\n".encode())
    finally:
        os.close(file)
    return number


async def produce(path: str, folder: str, numbers: range) -> Iterable[tuple[int, str]]:
    half = len(numbers) // 2
    async with TaskQueue(path) as queue:
        ids = await queue.enqueue_many(note, [(folder, number) for number in numbers[:half]])
        ids += await asyncio.gather(*(queue.enqueue(note, folder, number) for number in numbers[half:]))
    return zip(numbers, ids, strict=True)


path, folder, first, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
for number, task_id in asyncio.run(produce(path, folder, range(first, first + count))):
    print(number, task_id)
