"""How soon things happen, and what waiting for them costs."""

import asyncio
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sitq import SQLiteBackend, TaskQueue, Worker
from tests.performance.conftest import Report
from tests.performance.jobs import delay_since, nothing

pytestmark = pytest.mark.performance

SAMPLES = 300


async def delays(queue: TaskQueue) -> list[float]:
    """Milliseconds from an enqueue call to the start of its task, sorted, each on an idle worker."""
    found = []
    for number in range(SAMPLES):
        found.append(await (await queue.enqueue(delay_since, time.time_ns())))
        await asyncio.sleep(0.005 + 0.001 * (number % 13))
    return sorted(found)


def note(report: Report, where: str, found: list[float], asked: tuple[float, float]) -> None:
    p50, p99 = statistics.median(found), found[int(len(found) * 0.99) - 1]
    assert report.value(f"enqueue → start, {where}, p50", got=p50, asked=asked[0], unit="ms") < 10 * asked[0]
    report.value(f"enqueue → start, {where}, p99", got=p99, asked=asked[1], unit="ms")


async def test_start_in_the_same_process(path: Path, report: Report) -> None:
    async with SQLiteBackend(path) as backend, Worker(backend):
        note(report, "same process", await delays(TaskQueue(backend)), (2.0, 10.0))


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_start_in_another_process_and_idle_cost(path: Path, report: Report) -> None:
    async with TaskQueue(path) as queue:
        await queue.stats()
        worker = await asyncio.create_subprocess_exec(sys.executable, "-m", "sitq", "worker", str(path), "--quiet")
        try:
            await (await queue.enqueue(nothing, 1, 2))
            note(report, "other process", await delays(queue), (3.0, 10.0))
            used = cpu_seconds(worker.pid)
            await asyncio.sleep(10)
            used = cpu_seconds(worker.pid) - used
            status = Path(f"/proc/{worker.pid}/status").read_text()
        finally:
            worker.terminate()
            await worker.wait()
    rss = int(status.split("VmRSS:")[1].split()[0]) / 1024
    assert report.value("idle worker, share of a core", got=used * 10, asked=1.0, unit="%") < 5
    assert report.value("idle worker, resident memory", got=rss, asked=60, unit="MB") < 120


async def test_calls_under_a_busy_loop(path: Path, report: Report) -> None:
    async def hold_the_loop() -> None:
        while True:
            end = time.perf_counter() + 0.0005
            while time.perf_counter() < end:
                pass
            await asyncio.sleep(0)

    async with TaskQueue(path) as queue:
        await queue.enqueue(nothing, 1, 2)
        holders = [asyncio.create_task(hold_the_loop()) for _ in range(2)]
        waits = []
        for number in range(200):
            begun = time.perf_counter()
            task_id = await queue.enqueue(nothing, number, 2)
            await queue.get_task(task_id)
            waits.append((time.perf_counter() - begun) * 1000)
        for holder in holders:
            holder.cancel()
    assert report.value("longest enqueue + read, loop busy in 0.5 ms slices", got=max(waits), asked=50, unit="ms") < 500


def test_import_beside_bare_python(report: Report) -> None:
    def seconds(code: str) -> float:
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - begun

    bare = statistics.median(seconds("pass") for _ in range(9))
    loaded = statistics.median(seconds("import sitq") for _ in range(9))
    assert report.value("import sitq over bare Python", got=(loaded - bare) * 1000, asked=60, unit="ms") < 300
