"""What a worker costs the notebook beside it, and what the notebook costs the worker."""

import statistics
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kernels import Kernel

from sitq import SyncTaskQueue, TaskQuery, TaskStatus
from tests.performance.conftest import ROUNDS, Report, median_of

pytestmark = pytest.mark.performance

Run = Callable[[str], str]


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Kernel]:
    kernel = Kernel(tmp_path)
    yield kernel
    kernel.close()


@pytest.fixture
def run(kernel: Kernel) -> Run:
    """Run a cell that must not fail, and give what it printed."""

    def run(code: str) -> str:
        cell = kernel.run(textwrap.dedent(code), timeout=120)
        assert cell.error is None, cell.traceback
        return cell.text

    run("import threading, time\nfrom sitq.notebook import start_worker")
    return run


COUNT = """
def rounds(seconds):
    count, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        for _ in range(1000): pass
        count += 1
    return count
def spin():
    while True: pass
"""


def test_cell_that_computes_beside_two_tasks_that_do(run: Run, report: Report) -> None:
    run(COUNT + "w = start_worker('jobs.db', mode='process', concurrency=2)")
    alone, beside = [], []
    for _ in range(5):
        alone.append(int(run("print(rounds(2))")))
        run("hs = [w.submit(spin) for _ in range(2)]\nwhile any(h.status != 'running' for h in hs): time.sleep(0.01)")
        run("time.sleep(0.5)")
        beside.append(int(run("print(rounds(2))")))
        run("for h in hs: h.cancel()\nw.join()")
    run("w.stop(grace=0)")

    got, of = statistics.median(beside), statistics.median(alone)
    assert report.ratio("a cell that computes, beside two tasks / alone", got=got, of=of, asked=0.85, unit="k") > 0.42


DRAINED, BLOCKED = 20_000, 8.0


def rate(path: Path) -> float:
    """Tasks per second from the first start to the last end."""
    with SyncTaskQueue(path) as queue:
        infos = queue.list_tasks(TaskQuery(statuses=(TaskStatus.SUCCESS,), limit=DRAINED))
    assert len(infos) == DRAINED
    begun = min(info.started_at for info in infos if info.started_at is not None)
    return DRAINED / (max(info.finished_at for info in infos if info.finished_at is not None) - begun).total_seconds()


def test_drain_of_async_tasks_while_a_cell_blocks(run: Run, tmp_path: Path, report: Report) -> None:
    run("async def nothing(number): return number")
    rates: dict[str, list[float]] = {"idle": [], "blocked": []}
    for turn in range(ROUNDS):
        for kind, found in rates.items():
            name = f"{kind}{turn}.db"
            blocks = f"time.sleep({BLOCKED})" if kind == "blocked" else ""
            run(f"w = start_worker({name!r})\nhs = w.map(nothing, range({DRAINED}))\n{blocks}")
            if not blocks:
                time.sleep(BLOCKED)
            found.append(rate(tmp_path / name))
            run("w.stop()")

    got, of = statistics.median(rates["blocked"]), statistics.median(rates["idle"])
    assert report.ratio("drain while a cell blocks / while the kernel is idle", got=got, of=of, asked=0.9) > 0.45


def test_messages_of_a_panel_and_a_bar_of_ten_thousand_tasks(kernel: Kernel, run: Run, report: Report) -> None:
    run("w = start_worker('jobs.db', show=True)")
    kernel.forget_late()

    seconds = float(
        run("""
        begun = time.monotonic()
        hs = w.map(lambda number: time.sleep(0.002), range(10_000))
        await w.drain()
        print(time.monotonic() - begun)
        """)
    )

    sent = kernel.published["comm_msg"] + kernel.published["update_display_data"]
    assert report.value("messages of panel and bar, 10,000 tasks", got=sent / seconds, asked=5, unit="/s") < 6


def test_exit_of_a_kernel_with_a_forgotten_worker(tmp_path: Path, report: Report) -> None:
    def seconds(mode: str) -> float:
        kernel = Kernel(tmp_path)
        try:
            kernel.run(
                f"from sitq.notebook import start_worker\nw = start_worker(mode={mode!r}); w.submit(sum, [1]).result()"
            )
            return kernel.shut_down()
        finally:
            kernel.close()

    for mode in ("thread", "process"):
        got = median_of(lambda mode=mode: seconds(mode))  # type: ignore[misc]  # a default binds the mode of this turn
        assert report.value(f"exit with a forgotten worker, {mode}", got=got, asked=1, unit="s") < 2


def test_start_of_a_worker(run: Run, report: Report) -> None:
    def seconds(mode: str) -> float:
        return float(
            run(f"""
            begun = time.perf_counter()
            w = start_worker(mode={mode!r})
            print(time.perf_counter() - begun)
            w.stop()
            """)
        )

    seconds("thread")  # the first one imports
    got = median_of(lambda: seconds("thread"))
    assert report.value("start_worker is ready, thread", got=got, asked=0.3, unit="s") < 0.6
    assert (
        report.value("start_worker is ready, process", got=median_of(lambda: seconds("process")), asked=1, unit="s") < 5
    )


def test_no_thread_but_the_kernels_own_holds_up_an_exit(run: Run) -> None:
    before = run("print(sorted(t.name for t in threading.enumerate() if not t.daemon))")

    run("w = start_worker(show=True); w.submit(sum, [1]).result(); hs = w.map(time.sleep, [0.01] * 20); w.join()")

    assert run("print(sorted(t.name for t in threading.enumerate() if not t.daemon))") == before
