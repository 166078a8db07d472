"""The example desktop program, on a screen that nobody sees."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from displays import virtual_display
from kernels import ROOT

from sitq import SyncTaskQueue, TaskInfo

PROGRAM = ROOT / "examples" / "desktop" / "word_counter.py"

pytestmark = pytest.mark.desktop


def start(folder: Path, display: str, *files: Path) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DISPLAY": display}
    return subprocess.Popen([sys.executable, PROGRAM, *files], cwd=folder, env=environment)


def wait_for(folder: Path, status: str) -> TaskInfo:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if (folder / "words.db").exists():
            with SyncTaskQueue(folder / "words.db") as queue:
                for info in queue.list_tasks():
                    if info.status == status:
                        return info
        time.sleep(0.1)
    raise AssertionError(f"no task became {status}")


def test_program_that_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    text = tmp_path / "poem.txt"
    text.write_text("the cat and the hat\n" * 1500)
    with virtual_display() as display:
        first = start(tmp_path, display, text)
        wait_for(tmp_path, "running")
        first.kill()
        first.wait()

        second = start(tmp_path, display)
        done = wait_for(tmp_path, "success")
        second.terminate()
        second.wait()

    assert (done.name, done.crashes) == ("poem.txt", 1)
