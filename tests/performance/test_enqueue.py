"""How fast calls get into the file."""

import asyncio
import time
from pathlib import Path

import pytest

from sitq import SyncTaskQueue, TaskQueue
from tests.performance.conftest import Report, median_of
from tests.performance.jobs import nothing
from tests.performance.raw import RawQueue

pytestmark = pytest.mark.performance

SINGLE, MANY = 3_000, 20_000


async def enqueue_singly(path: Path, count: int) -> float:
    async with TaskQueue(path) as queue:
        begun = time.perf_counter()
        for number in range(count):
            await queue.enqueue(nothing, number, 2)
        return count / (time.perf_counter() - begun)


async def enqueue_from_hundred(path: Path, count: int) -> float:
    async def caller() -> None:
        for number in range(count // 100):
            await queue.enqueue(nothing, number, 2)

    async with TaskQueue(path) as queue:
        begun = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(100)))
        return count / (time.perf_counter() - begun)


async def enqueue_many(path: Path, count: int) -> float:
    async with TaskQueue(path) as queue:
        begun = time.perf_counter()
        await queue.enqueue_many(nothing, [(number, 2) for number in range(count)])
        return count / (time.perf_counter() - begun)


def enqueue_sync(path: Path, count: int) -> float:
    with SyncTaskQueue(path) as queue:
        begun = time.perf_counter()
        for number in range(count):
            queue.enqueue(nothing, number, 2)
        return count / (time.perf_counter() - begun)


def test_one_caller_beside_raw_one_row_transactions(path: Path, raw: RawQueue, report: Report) -> None:
    of = median_of(lambda: raw.insert_singly(SINGLE))
    got = median_of(lambda: asyncio.run(enqueue_singly(path, SINGLE)))
    assert report.ratio("enqueue, one caller / raw, one row a transaction", got=got, of=of, asked=0.25) > 0.12


def test_sync_caller_beside_async_caller(path: Path, report: Report) -> None:
    of = median_of(lambda: asyncio.run(enqueue_singly(path, SINGLE)))
    got = median_of(lambda: enqueue_sync(path, SINGLE))
    assert report.ratio("SyncTaskQueue.enqueue / async, one caller", got=got, of=of, asked=0.6) > 0.3


def test_hundred_callers_beside_one(path: Path, report: Report) -> None:
    of = median_of(lambda: asyncio.run(enqueue_singly(path, SINGLE)))
    got = median_of(lambda: asyncio.run(enqueue_from_hundred(path, MANY)))
    assert report.ratio("enqueue, 100 callers / one caller", got=got, of=of, asked=6.0) > 2.0


def test_enqueue_many_beside_raw_batches(path: Path, raw: RawQueue, report: Report) -> None:
    of = median_of(lambda: raw.insert_by_thousands(MANY))
    got = median_of(lambda: asyncio.run(enqueue_many(path, MANY)))
    assert report.ratio("enqueue_many / raw, 1,000 rows a transaction", got=got, of=of, asked=0.35) > 0.12
