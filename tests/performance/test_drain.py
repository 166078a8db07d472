"""How fast a worker empties the file, and whether size or company slows it."""

import asyncio
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sitq import SQLiteBackend, TaskQueue, Worker
from tests.performance.conftest import Report, median_of
from tests.performance.jobs import nothing, nothing_sync
from tests.performance.raw import RawQueue

pytestmark = pytest.mark.performance

COUNT = 20_000


async def drain(path: Path, function: Callable[..., Any], concurrency: int) -> float:
    async with SQLiteBackend(path) as backend:
        await TaskQueue(backend).enqueue_many(function, [(number, 2) for number in range(COUNT)])
        worker = Worker(backend, max_concurrency=concurrency)
        begun = time.perf_counter()
        await worker.run_until_empty()
        return COUNT / (time.perf_counter() - begun)


def measure(path: Path, function: Callable[..., Any], concurrency: int) -> float:
    return median_of(lambda: asyncio.run(drain(path, function, concurrency)))


def raw_rate(raw: RawQueue) -> float:
    def once() -> float:
        raw.insert_by_thousands(COUNT)
        return raw.drain(COUNT)

    return median_of(once)


def test_async_tasks_beside_raw_claims_and_finishes(path: Path, raw: RawQueue, report: Report) -> None:
    of = raw_rate(raw)
    for concurrency in (100, 10):
        got = measure(path, nothing, concurrency)
        figure = f"drain, async, concurrency {concurrency} / raw claim 32 + finish 32"
        assert report.ratio(figure, got=got, of=of, asked=0.30) > 0.10


def test_sync_tasks_beside_async_tasks(path: Path, report: Report) -> None:
    of = measure(path, nothing, 10)
    got = measure(path, nothing_sync, 10)
    assert report.ratio("drain, sync on threads / async, concurrency 10", got=got, of=of, asked=0.4) > 0.2


def multiply_rows(path: Path, statement: str, count: int) -> None:
    """Copy the last task of the file many times, with ids of their own, and count them in."""
    db = sqlite3.connect(path, isolation_level=None)
    columns = [row[1] for row in db.execute("pragma table_info(task)") if row[1] not in ("seq", "id")]
    names = ", ".join(columns)
    db.execute("begin immediate")
    db.execute(
        f"""insert into task(id, {names}) with recursive n(i) as (select 1 union all select i + 1 from n where i < ?)
        select printf('0%027x', i), {names} from n, (select * from task order by seq desc limit 1)""",
        (count,),
    )
    db.execute(statement)
    db.execute("delete from counter")
    db.execute("insert into counter select queue, state, count(*) from task group by queue, state")
    db.execute("commit")
    db.execute("pragma wal_checkpoint(truncate)")
    db.close()


async def finish_one(path: Path) -> None:
    async with SQLiteBackend(path) as backend:
        await TaskQueue(backend).enqueue(nothing, 1, 2)
        await Worker(backend).run_until_empty()


def test_million_finished_rows_beside_an_empty_file(path: Path, tmp_path: Path, report: Report) -> None:
    of = measure(tmp_path / "empty.db", nothing, 100)
    asyncio.run(finish_one(path))
    multiply_rows(path, "select 1", 1_000_000)
    got = measure(path, nothing, 100)
    assert report.ratio("drain over 1,000,000 finished rows / empty file", got=got, of=of, asked=0.9) > 0.45


def test_future_rows_beside_an_empty_file(path: Path, tmp_path: Path, report: Report) -> None:
    of = measure(tmp_path / "empty.db", nothing, 100)
    asyncio.run(finish_one(path))
    later = "update task set state = 0, finished_at = null, priority = 5, due_at = due_at + 86400000000"
    multiply_rows(path, later, 100_000)
    got = measure(path, nothing, 100)
    assert report.ratio("drain beside 100,000 future rows / empty file", got=got, of=of, asked=0.9) > 0.45


_WORKER = """
import asyncio, sys, time
from sitq import SQLiteBackend, Worker
async def main():
    backend = SQLiteBackend(sys.argv[1])
    await backend.connect()
    worker = Worker(backend, max_concurrency=100)
    print("ready", flush=True)
    sys.stdin.readline()
    await worker.run_until_empty()
    print(worker.info.id, flush=True)
    await backend.close()
asyncio.run(main())
"""


def drain_by_processes(path: Path, processes: int) -> tuple[float, float]:
    """Drain with worker processes; returns tasks per second, and the least share of one beside the largest."""

    async def fill() -> None:
        async with TaskQueue(path) as queue:
            await queue.enqueue_many(nothing, [(number, 2) for number in range(COUNT)])

    asyncio.run(fill())
    command = [sys.executable, "-c", _WORKER, str(path)]
    workers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(processes)
    ]
    for worker in workers:
        assert worker.stdout is not None
        worker.stdout.readline()
    begun = time.perf_counter()
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    ids = [worker.communicate(timeout=60)[0].strip() for worker in workers]
    rate = COUNT / (time.perf_counter() - begun)
    db = sqlite3.connect(path)
    share = "select count(*) from task where worker = (select max(seq) from worker where id = ?)"
    shares = [db.execute(share, (worker_id,)).fetchone()[0] for worker_id in ids]
    db.close()
    return rate, min(shares) / max(shares)


def test_several_worker_processes_beside_one(path: Path, report: Report) -> None:
    of = median_of(lambda: drain_by_processes(path, 1)[0])
    for processes, asked in ((2, 1.1), (4, 1.0)):
        rounds = sorted(drain_by_processes(path, processes) for _ in range(3))
        rate, share = rounds[1]
        figure = f"drain by {processes} worker processes / one"
        assert report.ratio(figure, got=rate, of=of, asked=asked) > 0.4
        report.ratio(f"  share of the slowest of {processes} / the fastest", got=share, of=1, asked=0.6, unit="")
