"""What becomes of tasks when their kernel is shut down, restarted or killed, and of the kernel when tasks run."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from kernels import Kernel

from sitq import SyncTaskQueue, TaskInfo

NewKernel = Callable[[], Kernel]

START = "import asyncio, pathlib, time\nfrom sitq.notebook import start_worker\nw = start_worker()"
# Long in its first run, so that the kernel ends in the midst of it, and short in the next.
LONG_ONCE = """
def long_once():
    mark = pathlib.Path("begun")
    if not mark.exists():
        mark.touch()
        time.sleep(20)
    return "finished"
h = w.submit(long_once)
while not pathlib.Path("begun").exists():
    time.sleep(0.01)
h.status.value
"""


def only_task(folder: Path) -> TaskInfo:
    with SyncTaskQueue(folder / "jobs.db") as queue:
        (task,) = queue.list_tasks()
        return task


def test_shutdown_waits_for_no_blocking_task_and_gives_it_back(new_kernel: NewKernel, tmp_path: Path) -> None:
    kernel = new_kernel()
    assert kernel.run(START + LONG_ONCE).text == "'running'"

    seconds = kernel.shut_down()

    task = only_task(tmp_path)
    assert seconds < 2
    assert (task.status, task.attempt, task.crashes) == ("pending", 1, 0)


def test_shutdown_gives_back_a_task_that_awaits(new_kernel: NewKernel, tmp_path: Path) -> None:
    kernel = new_kernel()
    cell = kernel.run(
        START + "\nasync def nap():\n    await asyncio.sleep(20)\nh = w.submit(nap)\ntime.sleep(0.3)\nh.status.value"
    )
    assert cell.text == "'running'"

    seconds = kernel.shut_down()

    task = only_task(tmp_path)
    assert seconds < 2
    assert (task.status, task.attempt, task.crashes) == ("pending", 1, 0)


def test_shutdown_with_a_forgotten_idle_worker_takes_no_time(new_kernel: NewKernel, tmp_path: Path) -> None:
    kernel = new_kernel()
    kernel.run(START + "\nw.submit(sum, [1, 2]).result()")

    assert kernel.shut_down() < 1
    assert only_task(tmp_path).status == "success"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process cannot be asked whether it is dead")
def test_next_kernel_takes_up_at_once_what_a_killed_one_left(new_kernel: NewKernel, tmp_path: Path) -> None:
    killed = new_kernel()
    assert killed.run(START + LONG_ONCE).text == "'running'"
    killed.kill()

    cell = new_kernel().run(START + "\nvalue = w['long_once'].result(timeout=5)\nprint(value)")

    assert f"recovered 1 task of process {killed.pid} (died)" in cell.text
    assert cell.text.endswith("finished\n")
    assert only_task(tmp_path).crashes == 1


def test_next_kernel_finds_results_by_id(new_kernel: NewKernel) -> None:
    first = new_kernel()
    task_id = first.run(START + "\nh = w.submit(sum, [1, 2])\nh.result()\nprint(h)").text.strip()
    first.shut_down()

    assert new_kernel().run(START + f"\nw.get({task_id!r}).result()").text == "3"
