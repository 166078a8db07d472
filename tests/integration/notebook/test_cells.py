"""A background worker under the cells of a real kernel, which blocks, awaits and is interrupted."""

import textwrap
import time
from collections.abc import Callable

from kernels import Cell, Kernel, Run


def test_worker_is_ready_soon_also_inside_the_running_loop(run: Run) -> None:
    cell = run("""
        asyncio.get_running_loop()
        seconds = []
        for _ in range(3):
            w.stop()
            begun = time.perf_counter()
            start_worker(w.path)
            seconds.append(time.perf_counter() - begun)
        min(seconds)
    """)

    assert float(cell.text) < 0.3


def test_result_blocks_a_cell_until_the_value_is_there(run: Run) -> None:
    cell = run("""
        def double(x):
            return 2 * x
        w.submit(double, 21).result(timeout=5)
    """)

    assert cell.text == "42"


def test_handle_can_be_awaited_in_a_cell(run: Run) -> None:
    cell = run("""
        async def double(x):
            await asyncio.sleep(0.01)
            return 2 * x
        await w.submit(double, 21), await asyncio.gather(*w.map(double, range(3)))
    """)

    assert cell.text == "(42, [0, 2, 4])"


def test_failed_task_fails_the_cell_with_the_traceback_of_the_task(run: Run, kernel: Kernel) -> None:
    cell = kernel.run("def fails():\n    raise ValueError('no luck')\nawait w.submit(fails)")

    assert cell.error == "TaskExecutionError"
    assert "ValueError: no luck" in cell.traceback
    assert "in fails" in cell.traceback


def test_tasks_go_on_while_a_cell_blocks_the_kernel(run: Run) -> None:
    cell = run("""
        async def nap():
            await asyncio.sleep(0.01)
        handles = [w.submit(nap) for _ in range(20)]
        time.sleep(1)
        {handle.status.value for handle in handles}
    """)

    assert cell.text == "{'success'}"


HELD = """
def held():
    while not os.path.exists(folder + '/gate'): time.sleep(0.01)
    return 'done'
h = w.submit(held)
print(h)
"""
LET_GO = "open(folder + '/gate', 'w').close()\n"


def interrupt(kernel: Kernel, code: str) -> Cell:
    """Interrupt a cell that waits, and give what came of it."""
    cell = kernel.begin(f"print('waiting', flush=True)\n{code}")
    kernel.wait_for_text(cell, "waiting")
    time.sleep(0.1)  # nothing tells that the cell has begun to wait
    kernel.interrupt()
    return kernel.finish(cell, timeout=3.0)


def test_interrupt_ends_an_awaiting_cell_at_once_and_not_the_task(run: Run, kernel: Kernel) -> None:
    run(HELD)

    cell = interrupt(kernel, "await h")

    assert cell.error in ("CancelledError", "KeyboardInterrupt")
    assert run(LET_GO + "await h").text == "'done'"


def test_interrupt_ends_a_blocked_cell_at_once_and_says_how_to_go_on(run: Run, kernel: Kernel) -> None:
    task_id = run(HELD).text.strip()

    cell = interrupt(kernel, "h.result()")

    assert cell.error == "KeyboardInterrupt"
    assert f'w.get("{task_id}")' in cell.text
    assert run(LET_GO + f'w.get("{task_id}").result()').text == "'done'"


def test_interrupt_of_an_idle_kernel_reaches_no_task(run: Run, kernel: Kernel) -> None:
    run("h = w.submit(lambda: time.sleep(0.5) or 'done')")

    kernel.interrupt()

    assert run("h.result(timeout=5)").text == "'done'"


def test_cell_that_is_run_again_gets_the_same_worker_and_no_more_threads(run: Run) -> None:
    cell = run("""
        w.submit(len, "").result(timeout=5)
        before = set(threading.enumerate())
        again = start_worker(w.path)
        again is w, set(threading.enumerate()) - before
    """)

    assert cell.text == "(True, set())"


def test_worker_changes_nothing_of_the_kernel_but_its_streams_and_leaves_it_as_it_was(
    new_kernel: Callable[[], Kernel],
) -> None:
    cell = new_kernel().run(
        textwrap.dedent("""
        import asyncio, signal, sys, threading
        def state():
            loop = asyncio.get_running_loop()
            return (
                [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
                (asyncio.run, asyncio.Task, asyncio.Future, type(loop)._run_once, type(loop).run_forever),
                (sys.stdout, sys.stderr, sys.excepthook, threading.excepthook, sys.getswitchinterval()),
                {thread for thread in threading.enumerate() if not thread.daemon},
                {"nest_asyncio", "nest_asyncio2", "ipywidgets", "textual"} & set(sys.modules),
                asyncio.all_tasks(loop) - {asyncio.current_task()},
            )
        before = state()
        from sitq.notebook import start_worker
        w = start_worker()
        await w.submit(sum, [1, 2])
        serving = state()
        w.stop()
        state() == before, serving[:2] + serving[3:] == before[:2] + before[3:], type(serving[2][0]).__name__
        """)
    )

    assert (cell.error, cell.text) == (None, "(True, True, 'Tee')"), cell.traceback


def test_output_of_a_task_appears_under_the_cell_that_submitted_it(kernel: Kernel, run: Run) -> None:
    submitting = kernel.begin(
        textwrap.dedent("""
        async def speak_async():
            await asyncio.sleep(0.25)
            print("async speaks")
        def speak():
            time.sleep(0.5)
            print("thread speaks")
        hs = [w.submit(speak), w.submit(speak_async)]
        """)
    )
    kernel.finish(submitting)

    later = run("time.sleep(0.8); [h.result(5) for h in hs]; print('later'); sorted(h.output for h in hs)")
    kernel.take_late(submitting)

    assert later.text == "later\n['async speaks\\n', 'thread speaks\\n']"
    assert sorted(submitting.text.splitlines()) == ["async speaks", "thread speaks"]


def test_output_of_a_task_from_elsewhere_appears_in_no_cell(run: Run) -> None:
    run("""
        from sitq import SyncTaskQueue
        with SyncTaskQueue(w.path) as q:
            foreign = str(q.enqueue(print, "who am I"))
    """)

    cell = run("w.get(foreign).result(5); w.get(foreign).output")

    assert cell.text == "'who am I\\n'"


def test_failed_call_is_replayed_in_the_kernel_and_rerun_with_a_fix(run: Run) -> None:
    cell = run("""
        def risky(x):
            return 1 / x
        h = w.submit(risky, 0)
        try:
            await h.replay()
        except ZeroDivisionError as error:
            print(error, error.__traceback__.tb_next is not None)
        def fixed(x):
            return x or "mended"
        while not h.status.is_final: time.sleep(0.01)
        print(await h.replay(fixed), h.rerun(fixed).result(5), w.rerun(w.tasks(status="failed"), fixed)[0].result(5))
    """)

    assert cell.text == "division by zero True\nmended mended mended\n"
