"""A worker process beside a kernel: on all cores, killed for certain, alive when the kernel is not."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from kernels import Kernel, Run

from sitq import SyncTaskQueue, TaskInfo

BEGIN = "w = start_worker(folder + '/jobs.db', mode='process', concurrency=2)"


def test_functions_of_cells_run_in_other_processes(run: Run) -> None:
    cell = run("""
        def where(x):
            return x, os.getpid()
        async def where_async(x):
            return x, os.getpid()
        a, b = w.submit(where, 1).result(15), await w.submit(where_async, 2)
        print(a[0], b[0], len({a[1], b[1], os.getpid()}))
    """)

    assert cell.text == "1 2 3\n"


@pytest.mark.skipif(os.name != "posix", reason="there is no niceness")
def test_tasks_let_cells_go_first(run: Run) -> None:
    cell = run("""
        def niceness():
            time.sleep(0.5)  # the group learns it a moment later
            group = "/proc/self/autogroup"
            of_group = open(group).read().split()[-1:] if os.path.exists(group) else []
            return os.nice(0) - here, [int(word) - os.nice(0) for word in of_group]
        here = os.nice(0)
        a, b = w.submit(niceness), w.submit(niceness)
        print(a.result(15)[0], *{*a.result()[1], *b.result()[1]})
    """)

    assert cell.text in ("10 0\n", "10\n")  # the latter where sessions are no groups


def test_cancel_ends_what_never_looks_up(run: Run) -> None:
    cell = run("""
        def spin():
            while True:
                pass
        h = w.submit(spin)
        while h.status != "running": time.sleep(0.01)
        time.sleep(0.5)
        begun = time.monotonic()
        h.cancel()
        while h.status == "running": time.sleep(0.01)
        print(h.status, time.monotonic() - begun < 1.5)
    """)

    assert cell.text == "cancelled True\n"


def test_output_is_kept_and_shown_in_no_cell(run: Run) -> None:
    cell = run("h = w.submit(print, 'from a child'); h.result(15); h.output")

    assert cell.text == "'from a child\\n'"


def test_log_of_the_process_tells_of_each_task(run: Run) -> None:
    cell = run("""
        h = w.submit(len, "abc"); h.result(15)
        while f"{h!s} attempt 1 ended" not in w.log(50): time.sleep(0.01)
        print(len(w.log(1).splitlines()), os.path.exists(w.path + ".log"))
    """)

    assert cell.text == "1 True\n"


def test_same_call_gives_the_same_process_and_another_mode_begins_anew(run: Run) -> None:
    cell = run("""
        same = start_worker(w.path, mode='process', concurrency=2) is w
        process = w._service._server
        start_worker(w.path, concurrency=2)
        print(same, process.alive, w.submit(os.getpid).result(5) == os.getpid())
    """)

    assert "thread, concurrency 2 instead of process, concurrency 2, starts anew" in cell.text
    assert cell.text.endswith("True False True\n")


@pytest.mark.parametrize("argument", ["mode='fork'", "mode='process', on_kernel_exit='stay'", "concurrency=0"])
def test_impossible_ways_are_refused(kernel: Kernel, run: Run, argument: str) -> None:
    assert kernel.run(f"start_worker(w.path, {argument})").error == "ValidationError"


def test_threads_cannot_be_kept_and_the_error_says_why(kernel: Kernel, run: Run) -> None:
    cell = kernel.run("start_worker(w.path, on_kernel_exit='keep')")

    assert cell.error == "ValidationError"
    assert "needs mode=\"process\", got mode='thread': threads end with their process" in cell.traceback


def ended(path: Path, task_id: str) -> TaskInfo:
    deadline = time.monotonic() + 15
    with SyncTaskQueue(path) as queue:
        while (info := queue.get_task(task_id)) is None or not info.status.is_final:
            assert time.monotonic() < deadline, info
            time.sleep(0.05)
    return info


SUBMIT = """
import time
from sitq.notebook import start_worker
w = start_worker("jobs.db", mode="process")
def work():
    time.sleep(1.5)
    return "done"
h = w.submit(work)
while h.status != "running": time.sleep(0.01)
print(h)
"""


def test_killed_kernel_lets_running_tasks_end(new_kernel: Callable[[], Kernel], tmp_path: Path) -> None:
    kernel = new_kernel()
    task_id = kernel.run(SUBMIT).text.strip()

    kernel.kill()

    info = ended(tmp_path / "jobs.db", task_id)
    assert (info.status, info.attempt) == ("success", 1)


def test_next_kernel_finds_what_the_last_one_left(new_kernel: Callable[[], Kernel]) -> None:
    first = new_kernel()
    first.run(SUBMIT)
    first.shut_down()

    cell = new_kernel().run("from sitq.notebook import start_worker; start_worker('jobs.db')['work'].result(15)")

    assert (cell.error, cell.text) == (None, "'done'")
