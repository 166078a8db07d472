"""Tasks that take each other's values, report how far they are, and run in processes where they compute."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from sitq import TaskQueue, Worker, track


def count_primes(start: int, stop: int) -> int:
    """Count the primes of a range; Python code that computes, so it goes to a process."""
    found = 0
    for number in track(range(max(start, 2), stop), message=f"up to {stop}"):
        found += all(number % divisor for divisor in range(2, int(number**0.5) + 1))
    print(f"{found} primes from {start} to {stop}")
    return found


def report(counts: list[int]) -> str:
    return f"{sum(counts)} primes in {len(counts)} parts"


async def main(store: Path) -> None:
    async with TaskQueue(store) as queue:
        computing = queue.options(executor="process", tags=["primes"])
        parts = [await computing.enqueue(count_primes, start, start + 5_000) for start in range(0, 20_000, 5_000)]
        # A handle stands for its value; a type checker sees that `report` takes ints, and is told otherwise.
        summary = await queue.options(name="summary").enqueue(report, parts)  # type: ignore[call-overload]

        blocked = await summary.info()
        print("without a worker the summary is", f"waiting for {blocked.waits_for}" if blocked else "gone")
        async with Worker(store, max_concurrency=2):
            print(await summary)

        print("the first part did", await parts[0].progress())
        print("and printed:", "".join(chunk.text for chunk in await parts[0].output()), end="")


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        asyncio.run(main(Path(folder) / "primes.db"))
