"""A real JupyterLab server in a folder of its own, a browser without a window, and the notebooks that it opens.

For tests, and for the pictures of the docs."""

import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat

if TYPE_CHECKING:  # where it is missing, the tests are still collected, and say so
    from playwright.sync_api import Browser, Error, Locator, Page, Playwright

ROOT = Path(__file__).parents[2]
SIZE = {"width": 1280, "height": 900}
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")  # the names that it goes by
WIDGETS = "@jupyter-widgets/jupyterlab-manager"
START = 60_000.0  # milliseconds: the first page of a cold machine has taken more than 20 s
STEP = 20_000.0

# The page says that the kernel is idle before it is connected to it, and drops a cell that is run then.
_CONNECTED = """async () => {
    const app = window.jupyterapp;
    await app.restored;
    const session = app.shell.currentWidget.context.sessionContext;
    await session.ready;
    await session.session.kernel.info;
}"""


def chromium() -> str | None:
    """Find the browser's program on this machine."""
    return next(filter(None, map(shutil.which, CHROMIUM)), None)


def launch(playwright: "Playwright", program: str) -> "Browser":
    """Start the browser. Its sandbox cannot be had as root, and all pages are our own."""
    return playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])


_COMMAND = "async ([name, args]) => { await window.jupyterapp.commands.execute(name, args); }"
_CLOSE = """async () => {
    const notebook = window.jupyterapp.shell.currentWidget;
    await notebook.context.sessionContext.shutdown();
    notebook.dispose();
}"""


class Lab:
    """A server that has begun to listen.

    Args:
        folder: holds the notebooks, and all that Jupyter would keep in a home folder.
        without: extensions that its pages do not load.
    """

    def __init__(self, folder: Path, *, without: Sequence[str] = ()) -> None:
        self.folder = folder
        self._token = secrets.token_hex(16)
        self._port = _unused_port()
        self._write_settings(without)
        with (folder / "server.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "jupyterlab", *self._options()],
                cwd=folder,
                env={
                    **os.environ,
                    **_homes(folder / "home"),
                    "PYTHONPATH": str(ROOT),
                    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._wait_until_it_answers()

    def write(self, name: str, cells: Sequence[str]) -> Path:
        """Make a notebook of these cells, in a folder of this name, where its kernel will run."""
        content = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        content.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        path = self.folder / name / "notebook.ipynb"
        path.parent.mkdir()
        nbformat.write(content, path)
        return path

    def address_of(self, path: Path) -> str:
        """Tell where a page shows this notebook, and nothing beside it."""
        place = path.relative_to(self.folder).as_posix()
        return f"http://127.0.0.1:{self._port}/doc/tree/{place}?token={self._token}&reset"

    def close(self) -> None:
        """End the server, which ends its kernels."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _options(self) -> list[str]:
        settings = {
            "ServerApp.ip": "127.0.0.1",
            "ServerApp.port": self._port,
            "ServerApp.port_retries": 0,
            "ServerApp.open_browser": False,
            "ServerApp.allow_root": True,
            "ServerApp.root_dir": self.folder,
            "IdentityProvider.token": self._token,
            "LabApp.expose_app_in_browser": True,
        }
        return [f"--{name}={value}" for name, value in settings.items()]

    def _write_settings(self, without: Sequence[str]) -> None:
        config = self.folder / "home" / "config" / "labconfig"
        config.mkdir(parents=True)
        (config / "page_config.json").write_text(json.dumps({"disabledExtensions": dict.fromkeys(without, True)}))
        settings = self.folder / "home" / "settings" / "@jupyterlab" / "apputils-extension"
        settings.mkdir(parents=True)
        quiet = {"fetchNews": "false", "checkForUpdates": False}  # nothing from the network, and no toast over a corner
        (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet))

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START / 1000
        while not self._answers():
            assert self._process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/api?token={self._token}", timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            return False

    @property
    def log(self) -> str:
        return (self.folder / "server.log").read_text()


def _homes(home: Path) -> dict[str, str]:
    """Keep a server from what the person who runs it has set up."""
    places = {"config": "JUPYTER_CONFIG_DIR", "data": "JUPYTER_DATA_DIR", "runtime": "JUPYTER_RUNTIME_DIR"}
    places |= {
        "settings": "JUPYTERLAB_SETTINGS_DIR",
        "workspaces": "JUPYTERLAB_WORKSPACES_DIR",
        "ipython": "IPYTHONDIR",
    }
    return {variable: str(home / place) for place, variable in places.items()}


def _unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Notebook:
    """A notebook with a kernel of its own.

    Args:
        page: blank, or one on which a notebook of this server was closed.
        lab: the server that has the notebook.
        path: its file.
    """

    def __init__(self, page: "Page", lab: Lab, path: Path) -> None:
        self.page = page
        self.path = path
        self.troubles: list[str] = []
        page.on("pageerror", self._note)
        if page.url == "about:blank":
            page.goto(lab.address_of(path))
        else:
            # On a page that is loaded it takes a fifth of the time.
            self.command("docmanager:open", path=path.relative_to(lab.folder).as_posix())
        self._wait_until_ready()

    def reload(self) -> None:
        """Show the page anew; the kernel goes on."""
        self.page.reload()
        self._wait_until_ready()

    def cell(self, number: int) -> "Locator":
        return self.page.locator(".jp-Notebook .jp-CodeCell").nth(number)

    def output(self, number: int) -> "Locator":
        return self.cell(number).locator(".jp-Cell-outputArea")

    def begin(self, number: int) -> None:
        """Start a cell as a person does."""
        self.cell(number).locator(".jp-InputArea-editor").click()
        self.page.keyboard.press("Shift+Enter")

    def run(self, *numbers: int) -> None:
        """Run cells to their ends, one after the other."""
        for number in numbers:
            self.begin(number)
            self.prompt(number, r"\[\d+\]").wait_for(timeout=STEP)

    def is_busy(self, number: int) -> bool:
        """Tell whether a cell is running."""
        return self.prompt(number, r"\[\*\]").is_visible()

    def prompt(self, number: int, pattern: str) -> "Locator":
        """Find what stands before a cell, if it is like this."""
        return self.cell(number).locator(".jp-InputPrompt").filter(has_text=re.compile(pattern))

    def command(self, name: str, **arguments: Any) -> None:
        """Give the front end a command, as a menu does, and wait until it is done."""
        self.page.evaluate(_COMMAND, [name, arguments])

    def wear(self, theme: str) -> None:
        """Change the theme of all pages, "Light" or "Dark"."""
        self.command("apputils:change-theme", theme=f"JupyterLab {theme}")
        self.page.locator("#jupyterlab-splash").wait_for(state="detached")

    def save(self) -> nbformat.NotebookNode:
        """Save the notebook and read what the file has now."""
        self.command("docmanager:save")
        return nbformat.read(self.path, as_version=4)

    def close(self) -> None:
        """End the kernel, and leave the page to the next notebook."""
        self.page.evaluate(_CLOSE)
        self.page.remove_listener("pageerror", self._note)

    def _note(self, error: "Error") -> None:
        self.troubles.append(str(error))

    def _wait_until_ready(self) -> None:
        self.page.locator(".jp-NotebookPanel .jp-CodeCell").first.wait_for(timeout=START)
        self.page.evaluate(_CONNECTED)
