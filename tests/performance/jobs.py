"""What the measurements run: importable, and as little as can be."""

import time


async def nothing(number: int, other: int) -> int:
    return number + other


def nothing_sync(number: int, other: int) -> int:
    return number + other


async def delay_since(sent_at: int) -> float:
    """Milliseconds from `sent_at`, in nanoseconds since the epoch, until now."""
    return (time.time_ns() - sent_at) / 1e6


def compute(count: int) -> int:
    """Keep one core busy."""
    total = 0
    for number in range(count):
        total += number * number
    return total
