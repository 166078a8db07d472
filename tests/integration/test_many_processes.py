"""Many producers and workers on one file at once: each task runs exactly once, and nobody is turned away by a lock."""

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from processes import Program, Programs

from sitq.backends.sqlite import SQLiteBackend
from sitq.core import TaskStatus
from sitq.queue import TaskQueue

PRODUCERS = WORKERS = 4


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """Where tasks note that they ran."""
    folder = tmp_path / "notes"
    folder.mkdir()
    return folder


def executions(notes: Path) -> Counter[int]:
    return Counter(int(line) for file in notes.iterdir() for line in file.read_text().split())


async def until_all_succeeded(path: Path, total: int, timeout: float) -> int:
    """Wait until so many tasks have succeeded, and tell how many have."""
    async with SQLiteBackend(path) as backend:
        done, deadline = 0, time.monotonic() + timeout
        while done < total and time.monotonic() < deadline:
            await asyncio.sleep(0.1)
            done = (await backend.stats()).count(TaskStatus.SUCCESS)
    return done


async def values_of(path: Path, ids: list[str]) -> dict[str, Any]:
    async with TaskQueue(path) as queue:
        results = await queue.backend.results(ids)
        return {task_id: queue.deserialize_result(result) for task_id, result in results.items()}


def produced_by(producers: list[Program]) -> dict[str, int]:
    """The number that belongs to each task id."""
    lines = [line.split() for producer in producers for line in producer.out.splitlines()]
    return {task_id: int(number) for number, task_id in lines}


@pytest.mark.parametrize("total", [2_000, pytest.param(20_000, marks=pytest.mark.slow)])
def test_each_task_runs_exactly_once(path: Path, notes: Path, programs: Programs, total: int) -> None:
    share = total // PRODUCERS
    producers = [programs.start("producer.py", path, notes, number * share, share) for number in range(PRODUCERS)]
    workers = [programs.start("worker.py", path) for _ in range(WORKERS)]

    done = asyncio.run(until_all_succeeded(path, total, timeout=120.0))

    assert done == total
    assert [producer.wait() for producer in producers] == [0] * PRODUCERS
    assert executions(notes) == Counter(range(total))
    numbers = produced_by(producers)
    assert asyncio.run(values_of(path, list(numbers))) == numbers
    assert [program.err for program in [*producers, *workers]] == [""] * (PRODUCERS + WORKERS)


def test_every_worker_gets_a_share(path: Path, notes: Path, programs: Programs) -> None:
    workers = [programs.start("worker.py", path) for _ in range(2)]
    for worker in workers:
        worker.wait_for_output("started")
    programs.run("producer.py", path, notes, 0, 2000, timeout=60.0)

    asyncio.run(until_all_succeeded(path, 2000, timeout=60.0))

    shares = [len((notes / str(worker.pid)).read_text().split()) for worker in workers]
    assert sum(shares) == 2000
    assert min(shares) > 100
