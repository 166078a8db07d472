"""The live panel in a real kernel: widgets, HTML without them, and text where there is no notebook."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from kernels import ROOT, Kernel, Run

WORK = """
from sitq import track
def work(n, seconds=0.02):
    for _ in track(range(n), message="crunching"):
        time.sleep(seconds)
def fail():
    raise ValueError("no <luck>")
"""
BEGIN = "w = start_worker(folder + '/jobs.db')" + WORK


def test_panel_is_a_widget_view_above_html_that_stays(kernel: Kernel, run: Run) -> None:
    shown = run("w.show()")
    worked = run("w.submit(fail, name='<b>'); await w.drain(); time.sleep(1)")

    updates = [message["content"]["data"] for message in kernel.late_of_type("update_display_data")]
    assert list(shown.displays[0]) == ["application/vnd.jupyter.widget-view+json"]
    assert list(shown.displays[1]) == ["text/html", "text/plain"]
    assert "&lt;b&gt;" in [*shown.updates, *updates, *worked.updates][-1]["text/html"]


def test_html_that_stays_tells_of_tasks_that_were_given_back(kernel: Kernel, run: Run) -> None:
    run("w.show()\nh = w.submit(work, 1000)\nwhile h.status != 'running': time.sleep(0.01)\ntime.sleep(0.3)")
    kernel.forget_late()

    stopped = run("w.stop(grace=0)")

    updates = [message["content"]["data"] for message in kernel.late_of_type("update_display_data")]
    assert "pending" in [*updates, *stopped.updates][-1]["text/html"]


@pytest.mark.slow
@pytest.mark.parametrize(("views", "times"), [(0, range(3, 8)), (1, range(2))])
def test_html_is_sent_rarely_where_a_front_end_draws_the_widgets(
    kernel: Kernel, run: Run, views: int, times: range
) -> None:
    run(f"w.show()\nw._screen.panel._view._box._view_count = {views}\nh = w.submit(work, 1000)\ntime.sleep(1.5)")
    kernel.forget_late()

    cell = run("time.sleep(3)")

    assert len(cell.updates) + len(kernel.late_of_type("update_display_data")) in times


def test_widgets_hide_the_html_below_them(run: Run) -> None:
    cell = run("w.show(); time.sleep(0.3); print(w._screen.panel._view._text.value)")

    (place,) = re.findall(r'class="(sitq-\w+)"', cell.updates[-1]["text/html"])
    assert f"<style>.{place} {{ display: none; }}</style>" in cell.text


def test_bars_move_while_a_cell_is_busy(run: Run) -> None:
    cell = run("""
        import re
        w.show()
        h = w.submit(work, 60)
        seen = []
        for _ in range(5):
            time.sleep(0.25)
            seen.append(float(re.search('sitq-bar" style="width:(.*?)%', w._screen.panel._view._text.value)[1]))
        print(len(set(seen)) >= 3, seen == sorted(seen), 0 < seen[-1] <= 100)
    """)

    assert cell.text.endswith("True True True\n")


def test_running_row_tells_state_time_left_and_message(run: Run) -> None:
    cell = run("""
        w.show()
        h = w.submit(work, 100)
        time.sleep(1)
        print(w._screen.panel._view._text.value)
    """)

    assert re.search(r">running \d.* left, crunching<", cell.text)


def test_row_without_progress_tells_how_long_earlier_ones_took(run: Run) -> None:
    run("for _ in range(3): w.submit(time.sleep, 0.6, name='nap').result(5)")

    cell = run(r"""
        import re
        w.show()
        h = w.submit(time.sleep, 2, name="nap")
        for words in (r"running \d\.\d s, about \d\.\d s left<", r"longer than the usual \d\.\d s<"):
            while not (found := re.search(words, w._screen.panel._view._text.value)) and not h.status.is_final: pass
            print(found is not None)
    """)

    assert cell.text.endswith("True\nTrue\n")


def test_buttons_cancel_and_requeue(run: Run) -> None:
    run("w.show()\nh = w.submit(work, 1000)\nwhile h.status != 'running': time.sleep(0.01)\ntime.sleep(0.5)")

    run("def button(): return w._screen.panel._view._buttons.column.children[0]")

    run("cancel = button(); cancel.click()\nassert cancel.disabled and cancel.description == 'Cancel'")
    cancelled = run("while button() is cancel: time.sleep(0.01)\nprint(h.status)")
    run("button().click()\nwhile h.status != 'running': time.sleep(0.01)\nh.cancel()")

    assert cancelled.text.endswith("cancelled\n")


def test_panel_shows_twenty_tasks_and_totals_of_all(run: Run) -> None:
    cell = run("""
        w.map(len, ["a"] * 1000)
        await w.drain()
        w.show()
        time.sleep(0.3)
        text = w._screen.panel._view._text.value
        print(text.count("success 0."), "1000 success<" in text)
    """)

    assert cell.text.endswith("20 True\n")


def test_handles_of_a_map_show_one_bar(run: Run) -> None:
    cell = run("hs = w.map(work, [5] * 30); hs.show(); await w.drain(); print(hs.as_group().look(20).headline)")

    assert cell.text.endswith("30 of 30 done\n")


def test_map_shows_one_bar_by_itself_while_the_panel_is_shown(run: Run) -> None:
    run("w.show()")

    shown = run("hs = w.map(lambda n: 1 / n, range(2)); await w.drain(); time.sleep(0.5)")
    again = run("await asyncio.gather(*w.map(len, ['a'])); time.sleep(0.5); print(len(w._screen.bars))")

    bars = [update["text/html"] for update in shown.updates if "of 2 done" in update["text/html"]]
    assert "2 of 2 done, 1 failed" in bars[-1]
    assert "<table" not in bars[-1]
    assert again.text.endswith("1\n")


def test_map_shows_nothing_by_itself_without_the_panel(run: Run) -> None:
    assert run("hs = w.map(len, ['a']); await w.drain()").displays == []


def test_bar_of_a_map_tells_the_time_left(run: Run) -> None:
    cell = run("""
        w.show()
        hs = w.map(work, [10] * 60)
        time.sleep(1.6)
        print(w._screen.bars[0]._view._text.value)
    """)

    assert re.search(r"\d+ of 60 done, [12]\.\d s left", cell.text)


def messages_of_views(kernel: Kernel) -> int:
    return kernel.published["comm_msg"] + kernel.published["update_display_data"]


def test_no_more_than_five_messages_a_second_come_for_a_quiet_panel(kernel: Kernel, run: Run) -> None:
    run("w.show()")
    kernel.forget_late()

    run("time.sleep(1)")

    assert messages_of_views(kernel) <= 6  # 5 a second, and one more at the edge


def test_no_more_than_five_messages_a_second_come_while_all_rows_change(kernel: Kernel, run: Run) -> None:
    run("w.show()")
    kernel.forget_late()

    run("""
        hs = [w.submit(work, 3) for _ in range(150)]
        begun = time.monotonic()
        while time.monotonic() < begun + 2: pass
    """)

    assert messages_of_views(kernel) <= 11
    run("time.sleep(1)")  # while a cell computes, a busy machine may show nothing
    assert messages_of_views(kernel) >= 1


def test_button_goes_on_with_its_task_when_rows_move(run: Run) -> None:
    cell = run("""
        w.show()
        first = w.submit(work, 1000)
        while first.status != "running": time.sleep(0.01)
        time.sleep(0.5)
        button = w._screen.panel._view._buttons.column.children[0]
        later = [w.submit(work, 1000) for _ in range(2)]
        time.sleep(0.5)
        button.click()
        while first.status == "running": time.sleep(0.01)
        print(first.status, *[h.status for h in later])
    """)

    assert cell.text.endswith("cancelled running running\n")


def test_panel_says_that_its_worker_has_ended_and_why(run: Run) -> None:
    cell = run("""
        import pathlib
        w.show()
        for file in pathlib.Path(w.path).parent.glob("jobs.db*"): file.unlink()
        while w.running: time.sleep(0.01)
        time.sleep(0.5)
        print(w._screen.panel._view._text.value)
    """)

    assert "worker ended by " in cell.text
    assert "deleted" in cell.text


def test_without_widgets_html_takes_their_place(new_kernel: Callable[[], Kernel]) -> None:
    kernel = new_kernel()
    kernel.run("import sys, time; sys.modules['ipywidgets'] = None\nfrom sitq.notebook import start_worker" + WORK)

    cell = kernel.run("w = start_worker('jobs.db'); w.show()\nh = w.submit(work, 50)\ntime.sleep(1.6)\nw.stop()")

    assert cell.error is None, cell.traceback
    assert list(cell.displays[0]) == ["text/html", "text/plain"]
    assert len(cell.updates) >= 2
    assert "<progress" in cell.updates[-1]["text/html"]


SCRIPT = """
from sitq.notebook import start_worker
with start_worker("jobs.db") as w:
    w.submit(len, "abc").result(5)
    w.show()
"""


def test_script_shows_text_once(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=30,
    )

    assert ran.stderr == ""
    assert ran.stdout.startswith("1 success\n<task ")
