"""What the monitor costs and how soon it shows things, on a terminal and a store of a million tasks."""

import asyncio
import compileall
import random
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import terminals
from terminals import Terminal, terminal

import sitq_monitor
from sitq import SQLiteBackend, TaskQueue, Worker
from sitq.core import Task, new_task_id
from tests.performance.conftest import Report
from tests.performance.jobs import nothing
from tests.performance.million import make_million
from tests.performance.test_latency import cpu_seconds

pytestmark = [
    pytest.mark.performance,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and needs a pseudo-terminal"),
]

STARTS, COMMITS, DRAINED = 7, 60, 30_000
PAGE_DOWN = "\x1b[6~"


@pytest.fixture(scope="module")
def million(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_million(tmp_path_factory.mktemp("million") / "tasks.db")


@contextmanager
def watching(path: Path, *options: str) -> Iterator[Terminal]:
    """A monitor that has shown its first rows and come to rest."""
    with terminal(["-m", "sitq_monitor", str(path), *options]) as screen:
        screen.read_until(" of ")
        screen.read(3.0)
        yield screen


def share(screen: Terminal, seconds: float) -> tuple[float, float]:
    """Measure the share of a core in per cent, and the kB/s that the terminal is sent."""
    used, sent, begun = cpu_seconds(screen.pid), len(screen.sent), time.monotonic()
    screen.read(seconds)
    passed = time.monotonic() - begun
    return (cpu_seconds(screen.pid) - used) / passed * 100, (len(screen.sent) - sent) / passed / 1000


def resident(screen: Terminal) -> float:
    status = Path(f"/proc/{screen.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


@contextmanager
def changing(path: Path, rate: float) -> Iterator[None]:
    """Enqueue that many tasks in a second, from another thread with its own loop, until the end."""
    ended = threading.Event()

    async def change() -> None:
        async with SQLiteBackend(path) as backend:
            begun, done = time.monotonic(), 0
            while not ended.is_set():
                due = int((time.monotonic() - begun) * rate) - done
                await backend.enqueue([Task(id=new_task_id(), name=f"change_{n}", payload=b"") for n in range(due)])
                done += due
                await asyncio.sleep(0.01)

    thread = threading.Thread(target=lambda: asyncio.run(change()))
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_start_to_first_rows(million: Path, report: Report) -> None:
    compileall.compile_dir(Path(sitq_monitor.__file__).parent, quiet=1)
    compileall.compile_dir(Path(sitq_monitor.__file__).parent.parent / "sitq", quiet=1)

    def start() -> float:
        begun = time.perf_counter()
        with terminal(["-m", "sitq_monitor", str(million)]) as screen:
            screen.read_until("shop.images.thumbnail")
            return (time.perf_counter() - begun) * 1000

    got = statistics.median(start() for _ in range(STARTS))
    assert report.value("monitor, start → first rows of 1,000,000", got=got, asked=450, unit="ms") < 1500


async def test_commit_elsewhere_to_screen(million: Path, report: Report) -> None:
    waits = []
    with watching(million) as screen:
        async with SQLiteBackend(million) as backend:
            for number in range(COMMITS):
                screen.read(0.3 + random.random() * 0.3)
                begun = time.perf_counter()
                await backend.enqueue([Task(id=new_task_id(), name=f"fresh_{number}_", payload=b"")])
                screen.read_until(f"fresh_{number}_")
                waits.append((time.perf_counter() - begun) * 1000)
    p50, p95 = statistics.median(waits), sorted(waits)[int(COMMITS * 0.95) - 1]
    assert report.value("monitor, commit elsewhere → on screen, p50", got=p50, asked=50, unit="ms") < 250
    assert report.value("monitor, commit elsewhere → on screen, p95", got=p95, asked=100, unit="ms") < 500


def test_idle(million: Path, report: Report) -> None:
    with watching(million) as screen:
        screen.read(3.0)
        cpu, sent = share(screen, 20.0)
        assert report.value("monitor, idle, share of a core", got=cpu, asked=1.0, unit="%") < 5
        assert report.value("monitor, idle, to the terminal", got=sent, asked=1.0, unit="kB/s") < 5


def test_four_hundred_changes_a_second(million: Path, report: Report) -> None:
    with watching(million) as screen, changing(million, 400):
        screen.read(2.0)
        cpu, sent = share(screen, 10.0)
        assert report.value("monitor, 400 changes/s, following, 160x45", got=cpu, asked=15, unit="%") < 45
        assert report.value("monitor, 400 changes/s, to the terminal", got=sent, asked=150, unit="kB/s") < 450
        screen.type("jj")
        screen.read(1.0)
        cpu, sent = share(screen, 10.0)
        assert report.value("monitor, 400 changes/s, holding still", got=cpu, asked=5, unit="%") < 25
        assert report.value("monitor, 400 changes/s, holding still, sent", got=sent, asked=10, unit="kB/s") < 50


@pytest.mark.parametrize(
    ("name", "key", "words", "back"),
    [("End", "G", " of 1,0", "g"), ("page down", PAGE_DOWN, " of 1,0", ""), ("50%", "\r", "more above", "g:50%")],
)
def test_moving(million: Path, report: Report, name: str, key: str, words: str, back: str) -> None:
    waits, used = [], 0.0
    with watching(million) as screen:
        for _ in range(20):
            for way in back:
                screen.type(way)
                screen.read(0.3)
            screen.read(0.2)
            begun, used_before = time.perf_counter(), cpu_seconds(screen.pid)
            screen.type(key)
            screen.read_until(words)
            waits.append((screen.heard_at - begun) * 1000)
            screen.read(0.1)
            used += cpu_seconds(screen.pid) - used_before
    where = f"monitor, {name} in 1,000,000"
    assert report.value(f"{where}, processor", got=used / 20 * 1000, asked=30, unit="ms") < 150
    assert report.value(f"{where}, key → screen", got=statistics.median(waits), asked=50, unit="ms") < 250


def test_memory(million: Path, report: Report) -> None:
    with watching(million) as screen:
        first = resident(screen)
        with changing(million, 400):
            for _ in range(150):
                screen.type(PAGE_DOWN)
                screen.read(0.05)
        screen.type("fG")
        screen.read(1.0)
        last = resident(screen)
    assert report.value("monitor, resident memory", got=first, asked=70, unit="MB") < 140
    assert report.value("monitor, growth after 150 pages and 4,000 changes", got=last - first, asked=10, unit="MB") < 40


@contextmanager
def beside(path: Path) -> Iterator[None]:
    """A monitor on a terminal that another process reads: this one's interpreter lock is for the worker alone."""
    command = [sys.executable, terminals.__file__, "-m", "sitq_monitor", str(path)]
    reader = subprocess.Popen(command, stdin=subprocess.PIPE)
    time.sleep(3.0)
    try:
        yield
    finally:
        reader.communicate()


async def test_drain_rate_with_a_monitor(path: Path, report: Report) -> None:
    async def drain() -> float:
        async with TaskQueue(path) as queue:
            await queue.enqueue_many(nothing, [(number, 1) for number in range(DRAINED)])
        begun = time.perf_counter()
        async with SQLiteBackend(path) as backend:
            await Worker(backend, max_concurrency=64).run_until_empty()
        return DRAINED / (time.perf_counter() - begun)

    await drain()
    alone, watched = [], []
    for _ in range(9):
        alone.append(await drain())
        with beside(path):
            watched.append(await drain())
    got, of = statistics.median(watched), statistics.median(alone)
    assert report.ratio("drain with a monitor beside one without", got=got, of=of, asked=0.97) > 0.5
