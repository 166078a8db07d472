"""What a child process costs, and what it gives to code that computes."""

import asyncio
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sitq import TaskQueue, Worker
from tests.performance.conftest import Report, median_of
from tests.performance.jobs import compute, nothing_sync

pytestmark = pytest.mark.performance


async def run(path: Path, executor: str, count: int) -> float:
    """Milliseconds that tasks which compute take, two at a time, with children that are there already."""
    async with TaskQueue(path) as queue, Worker(path, executor=executor, max_concurrency=2):
        for handle in await queue.map(time.sleep, [0.2, 0.2]):
            await handle
        begun = time.perf_counter()
        for handle in await queue.map(compute, [3_000_000] * count):
            await handle
        return (time.perf_counter() - begun) * 1000


def test_two_tasks_that_compute_beside_threads(path: Path, report: Report) -> None:
    of = median_of(lambda: asyncio.run(run(path, "thread", 2)))
    got = median_of(lambda: asyncio.run(run(path, "process", 2)))
    figure = "two tasks that compute, in processes"
    assert report.value(figure, got=got / of, asked=0.65, unit="of the time on threads") < 0.9


async def round_trip(path: Path, executor: str) -> float:
    """Median milliseconds from enqueue to value, one task at a time."""
    async with TaskQueue(path) as queue, Worker(path, executor=executor, max_concurrency=1):
        seconds = []
        for _ in range(300):
            begun = time.perf_counter()
            await (await queue.enqueue(nothing_sync, 1, 2))
            seconds.append(time.perf_counter() - begun)
        return sorted(seconds)[len(seconds) // 2] * 1000


def test_round_trip_through_a_warm_child_beside_a_thread(path: Path, report: Report) -> None:
    thread = asyncio.run(round_trip(path, "thread"))
    process = asyncio.run(round_trip(path, "process"))
    extra = process - thread
    assert report.value("no-op through a warm child, beyond a thread", got=extra, asked=1.5, unit="ms") < 10


async def drain(path: Path, executor: str, count: int) -> float:
    """Tasks per second, two at a time, with children that are there already."""
    async with TaskQueue(path) as queue, Worker(path, executor=executor, max_concurrency=2):
        for handle in await queue.map(time.sleep, [0.2, 0.2]):
            await handle
        begun = time.perf_counter()
        for handle in await queue.enqueue_many(nothing_sync, [(number, 2) for number in range(count)]):
            await handle
        return count / (time.perf_counter() - begun)


def test_drain_through_two_children_beside_threads(path: Path, report: Report) -> None:
    of = median_of(lambda: asyncio.run(drain(path, "thread", 5_000)))
    got = median_of(lambda: asyncio.run(drain(path, "process", 5_000)))
    assert report.ratio("drain of no-ops, two children / two threads", got=got, of=of, asked=0.2) > 0.1


def test_start_of_a_child_beside_bare_python(report: Report) -> None:
    def seconds(code: str) -> float:
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - begun

    bare = statistics.median(seconds("pass") for _ in range(9))
    loaded = statistics.median(seconds("import sitq.running.child, ctypes") for _ in range(9))
    assert report.value("import of a child over bare Python", got=(loaded - bare) * 1000, asked=60, unit="ms") < 300
