"""A worker process that is kept: it works without a kernel, the next kernel finds it, and any of them ends it."""

import os
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kernels import Cell, Kernel
from patience import until

from sitq import SyncTaskQueue
from sitq.notebook import start_worker

NewKernel = Callable[[], Kernel]

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")

KEEP = "start_worker('jobs.db', mode='process', concurrency=2, on_kernel_exit='keep')"
START = f"""
import os, time
from sitq.notebook import start_worker
w = {KEEP}
def where(seconds=0.0):
    time.sleep(seconds)
    return os.getppid()
"""


@pytest.fixture(autouse=True)
def end_what_was_kept(tmp_path: Path) -> Iterator[None]:
    yield
    if kept_pids(tmp_path / "jobs.db"):
        start_worker(tmp_path / "jobs.db").stop(grace=0)


def kept_pids(path: Path) -> list[int]:
    with SyncTaskQueue(path) as queue:
        return [worker.pid for worker in queue.stats().workers if worker.alive and worker.id.endswith(":kept")]


def run(kernel: Kernel, code: str) -> Cell:
    cell = kernel.run(textwrap.dedent(code), timeout=30)
    assert cell.error is None, cell.traceback
    return cell


def status_of(path: Path, task_id: str) -> str:
    with SyncTaskQueue(path) as queue:
        info = queue.get_task(task_id)
    return "unknown" if info is None else str(info.status)


@pytest.mark.parametrize("end", [Kernel.shut_down, Kernel.kill])
def test_kept_process_goes_on_without_a_kernel_and_the_next_one_finds_it(
    new_kernel: NewKernel, end: Callable[[Kernel], object]
) -> None:
    first = new_kernel()
    pid = run(first, START + "print(w.submit(where).result(15))").text.strip()
    end(first)

    found = run(new_kernel(), START + "print(w.submit(where).result(15))")

    assert f"found the worker process {pid} that was kept" in found.text
    assert found.text.splitlines()[-1] == pid


def test_kept_process_begins_tasks_while_there_is_no_kernel(new_kernel: NewKernel, tmp_path: Path) -> None:
    kernel = new_kernel()
    task_id = run(kernel, START + "hs = w.map(where, [0.7] * 4)\nprint(hs[-1])").text.strip()
    kernel.shut_down()

    until(lambda: status_of(tmp_path / "jobs.db", task_id) == "success", timeout=15)


def test_next_kernel_finds_it_in_whatever_mode_and_its_stop_ends_it(new_kernel: NewKernel, tmp_path: Path) -> None:
    first = new_kernel()
    run(first, START + "w.submit(where).result(15)")
    (pid,) = kept_pids(tmp_path / "jobs.db")
    first.shut_down()

    cell = run(
        new_kernel(),
        "from sitq.notebook import start_worker; w = start_worker('jobs.db'); print(w)\nw.stop(); print(w.running)",
    )

    assert f"running, concurrency 2, kept as process {pid}, 1 success>" in cell.text
    assert cell.text.endswith("False\n")
    assert kept_pids(tmp_path / "jobs.db") == []


def test_stop_gives_back_what_a_kept_process_runs(new_kernel: NewKernel, tmp_path: Path) -> None:
    kernel = new_kernel()
    run(kernel, START + "h = w.submit(where, 60)\nwhile h.status != 'running': time.sleep(0.01)")

    cell = run(kernel, "begun = time.monotonic(); w.stop(grace=0.2); print(time.monotonic() - begun)\nprint(h)")

    seconds, task_id = cell.text.split()
    assert float(seconds) < 3
    assert status_of(tmp_path / "jobs.db", task_id) == "pending"


def test_same_call_leaves_it_alone_and_another_begins_anew(new_kernel: NewKernel) -> None:
    kernel = new_kernel()
    run(kernel, START + "before = w.submit(where).result(15)")

    same = run(kernel, f"{KEEP} is w")
    other = run(kernel, "start_worker('jobs.db', mode='process'); print(w.submit(where).result(15) != before)")

    assert same.text == "True"
    assert "process, concurrency 4 instead of process, concurrency 2, starts anew" in other.text
    assert other.text.endswith("True\n")


def test_two_kernels_share_one_kept_process_and_one_hears_that_the_other_ended_it(new_kernel: NewKernel) -> None:
    first, second = new_kernel(), new_kernel()
    run(first, START)
    run(second, START + "w.stop()")

    cell = first.run("w.submit(where)")

    assert cell.error == "WorkerError"
    assert "is stopped; start_worker(" in cell.traceback
