"""What a notebook does to a worker, or a worker to a notebook, when it gets difficult; and where each case is tested.

| case | what holds | test |
|---|---|---|
| a cell blocks, or computes | tasks, leases and bars go on | here, `test_cells.py::test_tasks_go_on_while_a_cell_blocks_the_kernel`, `test_panel.py::test_bars_move_while_a_cell_is_busy` |
| interrupt while a cell waits | the cell ends, the task goes on | `test_cells.py::test_interrupt_ends_an_awaiting_cell_at_once_and_not_the_task`, `test_cells.py::test_interrupt_ends_a_blocked_cell_at_once_and_says_how_to_go_on` |
| interrupt of an idle kernel | nothing, in any mode | here, `test_cells.py::test_interrupt_of_an_idle_kernel_reaches_no_task` |
| interrupt with cells queued behind | the kernel drops these, the task goes on | here |
| blocking result inside a task, on a thread of sitq | refused: it would deadlock | here, `test_live_handle.py::test_blocking_result_inside_a_task_is_refused` |
| click on a subshell's thread, during an await | it works | here |
| two notebooks on one store | both see all, each works on its share | here |
| start_worker again, also after a reload of its module | the same worker | here, `test_cells.py::test_cell_that_is_run_again_gets_the_same_worker_and_no_more_threads` |
| shutdown or restart, also with a task of 20 s | soon over, the task is given back | `test_kernel_life.py::test_shutdown_waits_for_no_blocking_task_and_gives_it_back` |
| kernel killed | the next takes up what it left; a worker process hears of it | here, `test_kernel_life.py::test_next_kernel_takes_up_at_once_what_a_killed_one_left`, `test_worker_process.py::test_killed_kernel_lets_running_tasks_end` |
| file deleted | the worker ends, the panel says why | `test_background_worker.py::test_worker_whose_file_was_deleted_says_so_and_starts_again`, `test_panel.py::test_panel_says_that_its_worker_has_ended_and_why` |
| disk full | the worker waits, the panel says why, nothing is lost | here |
| argument that cannot be pickled | named, and nothing stored | `test_background_worker.py::test_submit_names_what_cannot_travel_and_stores_nothing` |
| large captured global | a warning with its name and size, and too large refused | here |
| payload of another Python | left alone, with the reason | here |
| a task prints, warns, raises | under its cell and in its output, in no other cell | here, `test_cells.py::test_output_of_a_task_appears_under_the_cell_that_submitted_it` |
| no ipywidgets | HTML with the same content | `test_panel.py::test_without_widgets_html_takes_their_place` |
| nest_asyncio applied by somebody | it works, with a warning where that loses cells | `test_nesting.py::test_worker_serves_whoever_applies_a_package`, `test_nesting.py::test_worker_warns_of_a_package_that_loses_cells` |
| a policy for other event loops | the worker's own are plain | here |
| 1,000 tasks in the panel | twenty rows and totals, five messages a second at most | `test_panel.py::test_panel_shows_twenty_tasks_and_totals_of_all`, `test_panel.py::test_no_more_than_five_messages_a_second_come_while_all_rows_change` |
| a run without a person ends with tasks left | they are given back | here |
"""  # noqa: E501  # a table

import re
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from kernels import ROOT, Kernel, Run
from nbclient import NotebookClient
from patience import until

from sitq import SyncTaskQueue
from sitq.backends.sqlite import SQLiteBackend
from sitq.core import Task, new_task_id
from sitq.notebook import BackgroundWorker, LiveHandle, start_worker

NewKernel = Callable[[], Kernel]

HERE = Path(__file__).parent


def test_every_test_of_the_table_exists() -> None:
    for file, name in re.findall(r"`(\w+\.py)::(\w+)`", __doc__):
        assert f"def {name}(" in (HERE / file).read_text(), f"{file} has no {name}"


def test_tasks_go_on_while_a_cell_computes(run: Run) -> None:
    cell = run("""
        async def nap():
            await asyncio.sleep(0.01)
        handles = [w.submit(nap) for _ in range(20)]
        begun = time.monotonic()
        while time.monotonic() < begun + 1.5: pass
        print({handle.status.value for handle in handles})
    """)

    assert cell.text == "{'success'}\n"


@pytest.mark.slow
def test_cell_that_blocks_longer_than_a_lease_costs_nobody_an_attempt(run: Run) -> None:
    run("long = w.submit(time.sleep, 33)\nwhile long.status != 'running': time.sleep(0.01)")

    cell = run("time.sleep(31); info = long.info(); print(info.status, info.stalled)", timeout=60)
    ended = run("long.result(10); info = long.info(); print(info.attempt, info.crashes)")

    assert (cell.text, ended.text) == ("running False\n", "1 0\n")


def test_interrupts_reach_no_task_of_a_worker_process(new_kernel: NewKernel) -> None:
    kernel = new_kernel()
    kernel.run("import time; from sitq.notebook import start_worker; w = start_worker('jobs.db', mode='process')")
    kernel.run("h = w.submit(lambda: time.sleep(1.5) or 'done')\nwhile h.status != 'running': time.sleep(0.01)")

    kernel.interrupt()
    kernel.run("1")
    busy = kernel.begin("print('busy', flush=True)\nwhile True: pass")
    kernel.wait_for_text(busy, "busy")
    kernel.interrupt()

    assert kernel.finish(busy).error == "KeyboardInterrupt"
    assert kernel.run("h.result(10), h.info().attempt, w.running").text == "('done', 1, True)"


def test_cells_queued_behind_an_interrupted_one_are_the_kernels_affair(run: Run, kernel: Kernel) -> None:
    run("h = w.submit(lambda: time.sleep(1) or 'done')")
    waiting = kernel.begin("print('waiting', flush=True)\nh.result()")
    queued = kernel.begin("print('queued')")
    kernel.wait_for_text(waiting, "waiting")

    kernel.interrupt()

    assert kernel.finish(waiting).error == "KeyboardInterrupt"
    assert kernel.finish(queued).text in ("", "queued\n")
    assert run("h.result()").text == "'done'"


def test_blocking_result_on_a_thread_of_sitq_is_refused(worker: BackgroundWorker) -> None:
    refused: list[str] = []

    def ask(handle: LiveHandle[int]) -> None:
        try:
            handle.result()
        except RuntimeError as exc:
            refused.append(str(exc))

    worker.submit(sum, [1, 2]).add_done_callback(ask, via=lambda call: call())

    until(lambda: refused)
    assert "await it instead" in refused[0]


SHOW_ONE = """
from sitq.notebook import start_worker
w.show()
def forever():
    while True:
        time.sleep(0.05)
        sitq.check_cancelled()
import sitq
h = w.submit(forever)
while not w._screen.panel._view._buttons.column.children: time.sleep(0.01)
button = w._screen.panel._view._buttons.column.children[0]
print(button.model_id)
"""


def test_click_on_the_thread_of_a_subshell_works_while_a_cell_blocks(run: Run, kernel: Kernel) -> None:
    run(SHOW_ONE)
    subshell = kernel.new_subshell()
    cell = kernel.begin("print('blocks', flush=True)\ntime.sleep(1.5)\nprint(h.status)")
    kernel.wait_for_text(cell, "blocks")

    kernel.send(
        "execute_request",
        {"code": "print('thread:', threading.current_thread().name); button.click()"},
        subshell=subshell,
    )

    assert kernel.finish(cell).text == "blocks\ncancelled\n"
    said = "".join(message["content"]["text"] for message in kernel.late_of_type("stream"))
    assert "thread: subshell-" in said


def test_click_works_while_a_cell_awaits(run: Run, kernel: Kernel) -> None:
    button = run(SHOW_ONE).text.splitlines()[-1]
    cell = kernel.begin(
        "print('awaits', flush=True)\nawait asyncio.wait([asyncio.ensure_future(w.drain())])\nprint(h.status)"
    )
    kernel.wait_for_text(cell, "awaits")

    kernel.click(button)

    assert kernel.finish(cell).text == "awaits\ncancelled\n"


def test_two_notebooks_share_one_store(new_kernel: NewKernel) -> None:
    start = "import time; from sitq.notebook import start_worker; w = start_worker('jobs.db', concurrency=2)"
    first, second = new_kernel(), new_kernel()
    first.run(start)
    second.run(start)

    workers = first.run(
        "await (hs := w.map(time.sleep, [0.1] * 30))[-1]; await w.drain(); print(len({h.info().worker for h in hs}))"
    )
    seen = second.run("print(len(w.tasks(limit=50, status='success')))")

    assert (workers.text, seen.text) == ("2\n", "30\n")


def test_panel_says_on_which_other_worker_a_task_runs(new_kernel: NewKernel) -> None:
    first, second = new_kernel(), new_kernel()
    first.run("import time; from sitq.notebook import start_worker; w = start_worker('jobs.db')")
    first.run("h = w.submit(time.sleep, 5)\nwhile h.status != 'running': time.sleep(0.01)")

    cell = second.run(
        "from sitq.notebook import start_worker; w = start_worker('jobs.db')\n"
        "w.show(); print(w._screen.panel._view._text.value)"
    )

    assert re.search(rf", on [^<]+:{first.pid}:\w+<", cell.text)


def test_module_that_is_run_again_finds_its_worker(run: Run) -> None:
    cell = run("""
        import importlib, sitq.notebook.thread, sitq.notebook.start
        for module in (sitq.notebook.thread, sitq.notebook.start): importlib.reload(module)
        print(sitq.notebook.start.start_worker(w.path) is w, len(sitq.notebook.thread._started) > 0)
    """)

    assert cell.text == "True True\n"


@pytest.mark.skipif(sys.platform != "linux", reason="needs a kernel that can be asked for its children")
def test_worker_process_of_a_killed_kernel_may_give_back_at_once(new_kernel: NewKernel, tmp_path: Path) -> None:
    kernel = new_kernel()
    kernel.run("import time; from sitq.notebook import start_worker")
    kernel.run("w = start_worker('jobs.db', mode='process', on_kernel_exit='stop')")
    kernel.run("h = w.submit(time.sleep, 30)\nwhile h.status != 'running': time.sleep(0.01)")

    kernel.kill()

    with SyncTaskQueue(tmp_path / "jobs.db") as queue:
        until(lambda: [task.status for task in queue.list_tasks()] == ["pending"])
        assert queue.list_tasks()[0].crashes == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB. Only root can make one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small file system")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_full_disk_makes_the_worker_wait_and_the_panel_says_so(new_kernel: NewKernel, small_disk: Path) -> None:
    kernel = new_kernel()
    kernel.run("import time; from sitq.notebook import start_worker; w = start_worker('disk/jobs.db', show=True)")
    kernel.run("h = w.submit(lambda: time.sleep(0.5) or 'kept')\nwhile h.status != 'running': time.sleep(0.01)")
    with (small_disk / "ballast").open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(bytes(4096))

    full = kernel.run("time.sleep(1.5); print(w._screen.panel._view._text.value, w.running)")
    (small_disk / "ballast").unlink()

    assert "worker: " in full.text and "full" in full.text, full.text
    assert full.text.endswith("True\n")
    assert kernel.run("h.result(15), h.info().attempt").text == "('kept', 1)"
    kernel.run("w.stop()")


def test_large_captured_global_is_named_with_its_size(run: Run, kernel: Kernel) -> None:
    run("big, huge = bytes(8_000_000), bytes(80_000_000)")
    run("def use_big(): return len(big)\ndef use_huge(): return len(huge)")

    warned = run("w.submit(use_big).result(5)")
    refused = kernel.run("w.submit(use_huge)")

    assert re.search(r"LargePayloadWarning.*big.*7\.6 MiB", warned.text), warned.text
    assert refused.error == "ResourceExhaustionError"
    assert "huge" in refused.traceback
    assert run("print(len(w.tasks()))").text == "1\n"


async def test_payload_of_another_python_waits_and_says_for_what(path: Path) -> None:
    task = Task(id=new_task_id(), name="old", payload=b"", python="3.99")
    async with SQLiteBackend(path) as backend:
        await backend.enqueue((task,))

    with start_worker(path) as worker:
        until(lambda: "waits for a worker on Python 3.99" in repr(worker.get(task.id)), timeout=3)
        assert worker.get(task.id).status == "pending"


def test_task_that_warns_and_raises_speaks_under_its_own_cell_only(run: Run, kernel: Kernel) -> None:
    submitting = kernel.begin(
        textwrap.dedent("""
        import warnings
        def warn_and_raise():
            time.sleep(0.3)
            warnings.warn("beware")
            raise ValueError("no luck")
        async def raise_later():
            await asyncio.sleep(0.3)
            raise ValueError("no luck")
        hs = [w.submit(warn_and_raise), w.submit(raise_later)]
        """)
    )
    kernel.finish(submitting)

    later = run(
        "import gc; time.sleep(0.8); gc.collect(); print([h.status.value for h in hs], 'beware' in hs[0].output)"
    )
    kernel.take_late(submitting)

    assert later.text == "['failed', 'failed'] True\n"
    assert "beware" in submitting.text
    assert "no luck" not in submitting.text


def test_worker_has_plain_loops_whatever_policy_is_set(new_kernel: NewKernel) -> None:
    cell = new_kernel().run(
        textwrap.dedent("""
        import asyncio
        class OtherLoop(asyncio.SelectorEventLoop): pass
        class Policy(asyncio.DefaultEventLoopPolicy):
            _loop_factory = OtherLoop
        asyncio.set_event_loop_policy(Policy())
        from sitq.notebook import start_worker
        w = start_worker()
        async def loop_of_a_task(): return type(asyncio.get_running_loop()).__name__
        print(await w.submit(loop_of_a_task), type(w._client._portal.loop).__name__)
        """)
    )

    assert cell.text == "_UnixSelectorEventLoop _UnixSelectorEventLoop\n", cell.traceback


UNATTENDED = """
import time
from sitq.notebook import start_worker
w = start_worker("jobs.db", concurrency=1)
handles = w.map(time.sleep, [30, 30])
while handles[0].status != "running": time.sleep(0.01)
"""


def test_run_without_a_person_gives_back_what_is_left_at_its_end(tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(UNATTENDED)])
    manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))
    client = NotebookClient(notebook, km=manager, timeout=30, resources={"metadata": {"path": str(tmp_path)}})

    begun = time.monotonic()
    client.execute(env={"PYTHONPATH": str(ROOT), "PATH": ""}, cleanup_kc=True)

    assert time.monotonic() - begun < 15
    with SyncTaskQueue(tmp_path / "jobs.db") as queue:
        assert [(task.status, task.crashes) for task in queue.list_tasks()] == [("pending", 0)] * 2
