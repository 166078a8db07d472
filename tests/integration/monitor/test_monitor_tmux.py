"""The real program inside tmux, which obeys what a terminal is sent: the clipboard, the title, the screen."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from monitor_store import FilledStore
from test_monitor_terminal import fill_with_evil

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux")


class Tmux:
    """A server of its own with one pane.

    Args:
        socket: of the server.
    """

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def __call__(self, *command: str) -> str:
        environment = {name: value for name, value in os.environ.items() if name != "TMUX"}
        ran = subprocess.run(
            ["tmux", "-S", str(self._socket), "-f", "/dev/null", *command],
            capture_output=True,
            text=True,
            env=environment,
            timeout=20,
            check=False,
        )
        return ran.stdout

    def show(self, *command: str) -> None:
        self("new-session", "-d", "-x", "120", "-y", "30", "-s", "m", *command)
        self("set", "-g", "set-clipboard", "on")
        self("set", "-g", "allow-rename", "on")

    def screen_with(self, words: str) -> str:
        """Wait until these words are on the screen, and give back all of it."""
        deadline = time.monotonic() + 15
        while words not in (screen := self("capture-pane", "-p", "-t", "m")):
            assert time.monotonic() < deadline, f"{words!r} is not on the screen, but {screen}"
            time.sleep(0.1)
        return screen

    def type(self, *keys: str) -> None:
        self("send-keys", "-t", "m", *keys)


@pytest.fixture
def tmux(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tmux]:
    tmux = Tmux(tmp_path_factory.mktemp("t") / "s")
    yield tmux
    tmux("kill-server")


@pytest.mark.slow
async def test_what_a_store_holds_commands_no_terminal(store: FilledStore, tmux: Tmux) -> None:
    await fill_with_evil(store)

    tmux.show(sys.executable, "-m", "sitq_monitor", str(store.path))
    tmux.screen_with("␛]52;c;UFdORUQ=")
    before = tmux("display-message", "-p", "#{pane_title} #{window_name}")
    tmux.type("Enter")
    tmux.screen_with("Traceback of attempt 1")
    for key in ("R", "n", "Escape", "w", "Q", "c", "Escape", "*", "D"):
        tmux.type(key)
        time.sleep(0.6 if key == "Escape" else 0.1)  # with another key close behind it, it would be one with Alt

    assert "Delete" in tmux.screen_with("Delete")
    assert "owned" not in before
    assert tmux("display-message", "-p", "#{pane_title} #{window_name}") == before
    assert tmux("show-buffer") == ""


async def test_id_is_copied_and_the_size_may_change(store: FilledStore, tmux: Tmux) -> None:
    task_id = await store.enqueue("greet")

    tmux.show(sys.executable, "-m", "sitq_monitor", str(store.path))
    tmux.screen_with("greet")
    tmux.type("y")
    tmux.screen_with("id handed to")
    tmux("resize-window", "-t", "m", "-x", "60", "-y", "15")

    assert "greet" in tmux.screen_with("1 of 1")
    assert tmux("show-buffer") == task_id
