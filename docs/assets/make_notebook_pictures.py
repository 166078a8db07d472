"""Takes the picture of the notebook in README and docs, from a real run in JupyterLab.

It needs the extra `browser`, and Chromium: `PYTHONPATH=.:tests/browser python docs/assets/make_notebook_pictures.py`,
with a folder for the picture if it is not to be this one.
"""

import re
import sys
import tempfile
from pathlib import Path

from lab import Lab, Notebook, chromium, launch
from playwright.sync_api import Browser, sync_playwright

PICTURE = "notebook-panel.png"
SIZE = {"width": 1130, "height": 1500}  # the whole cell must be on the page
SCALE = 1.5  # so that it is sharp on fine screens

SETUP = """\
import time
from datetime import UTC, datetime, timedelta

import sitq


def load(file):
    time.sleep(0.4)
    if "2019" in file:
        raise ValueError(f"{file} has no column 'price'")


def train(rate):
    for epoch in sitq.track(range(40), message="training"):
        time.sleep(0.03 / rate ** 0.35)


def publish():
    return True


tonight = datetime.now(UTC) + timedelta(hours=9)
"""

SHOWN = """\
from sitq.notebook import start_worker

w = start_worker("models.db", show=True)

w.map(load, ["prices-2019.csv", "prices-2020.csv"])
for rate in (0.1, 0.03, 0.01, 0.003):
    w.submit(train, rate, name=f"train, rate {rate}")
w.submit(publish, eta=tonight);"""


def photograph(browser: Browser, lab: Lab) -> bytes:
    """Run the cells, and take the one with the panel while its tasks run."""
    page = browser.new_page(viewport=SIZE, device_scale_factor=SCALE)
    notebook = Notebook(page, lab, lab.write("picture", [SETUP, SHOWN]))
    notebook.run(0, 1)
    panel = notebook.output(1).locator(".sitq-panel")
    panel.get_by_text(re.compile("^success .*")).nth(1).wait_for()  # one has loaded, and one has trained
    page.wait_for_timeout(500)
    return notebook.cell(1).screenshot(animations="disabled")


def main(folder: Path) -> None:
    program = chromium()
    if program is None:
        sys.exit("there is no Chromium to take the picture with; on Debian `apt-get install chromium` brings it")
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        lab = Lab(Path(place))
        try:
            (folder / PICTURE).write_bytes(photograph(launch(playwright, program), lab))
        finally:
            lab.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
