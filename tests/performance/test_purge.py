"""What removing a million finished rows costs a worker that drains the same file."""

import asyncio
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sitq import Inspector, SQLiteBackend, TaskQueue, Worker
from tests.performance.conftest import ROUNDS, Report, median_of
from tests.performance.jobs import nothing
from tests.performance.test_drain import finish_one, multiply_rows

pytestmark = pytest.mark.performance

COUNT = 60_000
ROWS = 1_000_000

_PURGE = """
import asyncio, sys
from sitq import Inspector
async def main():
    async with Inspector(sys.argv[1]) as inspector:
        print("ready", flush=True)
        print(await inspector.purge())
asyncio.run(main())
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two files of a million finished tasks: their retention is over in the one, and has an hour to go in the other."""
    folder = tmp_path_factory.mktemp("finished")
    files = {"due": folder / "due.db", "kept": folder / "kept.db"}
    asyncio.run(finish_one(files["kept"]))
    shutil.copy(files["kept"], files["due"])
    multiply_rows(files["kept"], "update task set purge_at = finished_at + 3600000000", ROWS)
    multiply_rows(files["due"], "update task set purge_at = finished_at", ROWS)
    return files


async def drain(path: Path) -> float:
    async with SQLiteBackend(path) as backend:
        await TaskQueue(backend).enqueue_many(nothing, [(number, 2) for number in range(COUNT)])
        worker = Worker(backend, max_concurrency=100)
        begun = time.perf_counter()
        await worker.run_until_empty()
        return COUNT / (time.perf_counter() - begun)


async def rows_left(path: Path) -> int:
    async with Inspector(path) as inspector:
        return (await inspector.stats()).queues[0].success


@contextmanager
def purging(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Remove what is due in another process, for the time of a `with` block and longer."""
    purge = subprocess.Popen([sys.executable, "-c", _PURGE, str(path)], stdout=subprocess.PIPE, text=True)
    with purge:
        assert purge.stdout is not None
        assert purge.stdout.readline() == "ready\n"
        yield purge


def drain_beside_a_purge(due: Path, path: Path) -> tuple[float, float]:
    """Drain while another process removes a million rows; returns tasks drained and rows removed per second."""
    shutil.copy(due, path)
    with purging(path) as purge:
        begun = time.perf_counter()
        drained = asyncio.run(drain(path))
        assert purge.poll() is None, "it ended before the drain"
        purge.wait(120)
        removed = ROWS / (time.perf_counter() - begun)
    assert asyncio.run(rows_left(path)) == COUNT
    return drained, removed


def test_drain_beside_a_purge_by_another_process(finished: dict[str, Path], tmp_path: Path, report: Report) -> None:
    of = median_of(lambda: asyncio.run(drain(finished["kept"])))
    rounds = sorted(drain_beside_a_purge(finished["due"], tmp_path / f"{number}.db") for number in range(ROUNDS))
    got, rate = rounds[ROUNDS // 2]
    report.ratio("1,000,000 rows purged beside it / 73,000", got=rate, of=73_000, asked=0.5, unit="rows/s")
    assert report.ratio("drain beside a purge by another process / alone", got=got, of=of, asked=0.7) > 0.35


def drain_while_purging(due: Path, path: Path) -> float:
    shutil.copy(due, path)
    rate = asyncio.run(drain(path))
    assert asyncio.run(rows_left(path)) < ROWS + COUNT - 500, "it purged nothing"
    return rate


def test_drain_by_a_worker_that_purges(finished: dict[str, Path], tmp_path: Path, report: Report) -> None:
    of = median_of(lambda: asyncio.run(drain(finished["kept"])))
    got = median_of(lambda: drain_while_purging(finished["due"], tmp_path / "tasks.db"))
    assert report.ratio("drain by a worker that purges / with nothing due", got=got, of=of, asked=0.9) > 0.45
