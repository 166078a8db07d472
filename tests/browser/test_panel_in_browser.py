"""The live panel as a person sees it: in JupyterLab, in a browser, with clicks."""

import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from lab import Lab, Notebook

from sitq import SyncTaskQueue

Open = Callable[..., Notebook]

pytestmark = pytest.mark.browser

START = """
import time
from sitq import track
from sitq.notebook import start_worker

def train(rounds, seconds=0.1):
    for _ in track(range(rounds), message="crunching"):
        time.sleep(seconds)
    print("trained", rounds)

w = start_worker("jobs.db", show=True)
"""
LONG = "h = w.submit(train, 1000, name='long')"
BUSY = "time.sleep(4)"
NAME = "a_name_that_is_much_longer_than_the_column_that_has_it"
CROWD = f"""
def fail():
    raise ValueError("a library that has much to say about what it expected, and what it was given instead of it")

w.submit(fail)
w.submit(train, 10).cancel()
w.submit(train, 1000, name="{NAME}")
"""
ERROR = ".sitq-panel div[title*=Error] > span[style]"
ROW = ".sitq-panel .sitq-row"
HEIGHTS = "rows => rows.map(row => row.offsetHeight)"
CONTRASTS = """elements => {
    const channel = value => value <= 10 ? value / 3294 : ((value / 255 + 0.055) / 1.055) ** 2.4;
    const lightness = color => {
        const [red, green, blue] = color.match(/[\\d.]+/g).slice(0, 3).map(channel);
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05;
    };
    const ground = element => {
        const color = getComputedStyle(element).backgroundColor;
        return color.endsWith(", 0)") ? ground(element.parentElement) : color;
    };
    return elements.map(element => {
        const ratio = lightness(getComputedStyle(element).color) / lightness(ground(element));
        return Math.max(ratio, 1 / ratio);
    });
}"""  # as the Web Content Accessibility Guidelines have it
OVERFLOWS = "boxes => boxes.map(box => box.scrollWidth > box.clientWidth)"
WIDTHS = "bars => bars.map(bar => bar.style.width)"
VALUES = "bars => bars.map(bar => bar.value)"


def until(probe: Callable[[], object], seconds: float = 8.0) -> None:
    """Return when `probe` answers with something true."""
    deadline = time.monotonic() + seconds
    while not probe():
        assert time.monotonic() < deadline, f"it did not become so in {seconds} s"
        time.sleep(0.05)


def look(notebook: Notebook, selector: str, reading: str) -> Any:
    """Read something of all elements that a selector finds below the first cell."""
    return notebook.output(0).locator(selector).evaluate_all(reading)


def moves(notebook: Notebook, selector: str, reading: str, *, while_busy: int) -> bool:
    """Start a cell that blocks, and tell whether what is read changes twice before its end."""
    notebook.begin(while_busy)
    for _ in range(2):
        seen = look(notebook, selector, reading)
        until(lambda seen=seen: look(notebook, selector, reading) not in ([], seen))
    return notebook.is_busy(while_busy)


def statuses(notebook: Notebook) -> Sequence[str]:
    """Ask the store, newest task first."""

    def ask() -> Sequence[str]:
        with SyncTaskQueue(notebook.path.parent / "jobs.db") as queue:
            return [info.status for info in queue.list_tasks()]

    with ThreadPoolExecutor() as threads:  # the browser is driven from a loop that runs here
        return threads.submit(ask).result()


def kept_html(notebook: Notebook) -> str:
    """Save the notebook and read what its file shows below the first cell."""
    return "".join(output.data.get("text/html", "") for output in notebook.save().cells[0].outputs)


def test_bars_move_while_a_cell_sleeps(open_notebook: Open) -> None:
    notebook = open_notebook(START, LONG, BUSY)

    notebook.run(0, 1)

    assert moves(notebook, ".sitq-panel .sitq-bar", WIDTHS, while_busy=2)


def test_one_bar_stands_for_the_calls_of_a_map(open_notebook: Open) -> None:
    notebook = open_notebook(START.replace(", show=True", ""), "w.map(train, [10] * 8).show()")

    notebook.run(0, 1)

    notebook.output(1).get_by_text("8 of 8 done", exact=True).wait_for()
    assert statuses(notebook) == ["success"] * 8


def test_buttons_cancel_and_requeue(open_notebook: Open) -> None:
    notebook = open_notebook(START, LONG)
    notebook.run(0, 1)

    notebook.output(0).get_by_role("button", name="Cancel").click()
    until(lambda: statuses(notebook) == ["cancelled"])
    notebook.output(0).get_by_role("button", name="Requeue").click()

    until(lambda: statuses(notebook) == ["running"])


def test_click_reaches_the_kernel_while_a_cell_awaits(open_notebook: Open) -> None:
    notebook = open_notebook(START, LONG, "await h")
    notebook.run(0, 1)
    notebook.begin(2)

    notebook.output(0).get_by_role("button", name="Cancel").click()

    notebook.output(2).get_by_text("TaskCancelledError").first.wait_for()
    assert statuses(notebook) == ["cancelled"]


def test_output_appears_under_the_cell_that_submitted_the_task(open_notebook: Open) -> None:
    notebook = open_notebook(START, "h = w.submit(train, 10)", BUSY, "print('later')")
    notebook.run(0, 1)
    notebook.begin(2)

    notebook.output(1).get_by_text("trained 10").wait_for()

    assert notebook.is_busy(2)
    assert notebook.output(2).inner_text() == ""


def test_widgets_stand_alone_and_html_waits_in_the_file(open_notebook: Open) -> None:
    notebook = open_notebook(START, "w.submit(train, 1, name='short').result(); " + LONG)

    notebook.run(0, 1)
    notebook.output(0).locator(".sitq-panel").get_by_text("crunching").wait_for()
    until(lambda: "running" in kept_html(notebook))

    assert re.search("<b>long</b>.*running.*<b>short</b>.*success", kept_html(notebook))
    assert not notebook.output(0).locator("table").is_visible()


def test_panel_lives_on_after_the_page_was_reloaded(open_notebook: Open) -> None:
    notebook = open_notebook(START, LONG, BUSY)
    notebook.run(0, 1)
    notebook.save()

    notebook.reload()

    assert moves(notebook, ".sitq-panel .sitq-bar", WIDTHS, while_busy=2)
    assert not notebook.output(0).locator("table").is_visible()


def test_notebook_that_is_opened_again_shows_the_last_state(open_notebook: Open) -> None:
    notebook = open_notebook(START, "w.submit(train, 1, name='short').result(); w.stop()")
    notebook.run(0, 1)
    notebook.save()

    notebook.command("notebook:shutdown-kernel")
    notebook.reload()

    assert notebook.output(0).locator("table").inner_text().split()[:3] == ["●", "short", "success"]


def test_html_moves_where_the_page_knows_no_widgets(open_on: Open, lab_without_widgets: Lab) -> None:
    notebook = open_on(lab_without_widgets, START, LONG, BUSY)

    notebook.run(0, 1)

    assert moves(notebook, "table progress", VALUES, while_busy=2)


def test_html_moves_where_the_kernel_has_no_widgets(open_notebook: Open) -> None:
    notebook = open_notebook("import sys; sys.modules['ipywidgets'] = None" + START, LONG, BUSY)

    notebook.run(0, 1)

    assert moves(notebook, "table progress", VALUES, while_busy=2)


def test_long_names_and_errors_are_cut_and_nothing_wraps(open_notebook: Open) -> None:
    notebook = open_notebook(START + CROWD)
    notebook.run(0)
    notebook.output(0).locator(".sitq-panel").get_by_text("ValueError").wait_for()

    for width in (1280, 800):
        notebook.page.set_viewport_size({"width": width, "height": 900})
        assert len(set(look(notebook, ROW, HEIGHTS))) == 1
        assert look(notebook, ROW, OVERFLOWS) == [False] * 3
    assert look(notebook, f".sitq-panel div[title={NAME}]", OVERFLOWS) == [True]


def test_colors_can_be_read_on_light_and_on_dark_pages(open_notebook: Open, tmp_path: Path) -> None:
    notebook = open_notebook(START + CROWD)
    notebook.run(0)
    notebook.output(0).locator(".sitq-panel").get_by_text("ValueError").wait_for()

    for theme in ("Light", "Dark"):
        notebook.wear(theme)
        notebook.page.screenshot(path=tmp_path / f"{theme}.png")
        assert min(look(notebook, "[style*=color]", CONTRASTS)) >= 3
        assert min(look(notebook, ERROR, CONTRASTS)) >= 4
