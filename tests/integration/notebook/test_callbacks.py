"""Callbacks of ended tasks: on an event loop, on Tk's thread, on Qt's thread, or wherever a function takes them."""

import asyncio
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from displays import virtual_display
from kernels import ROOT

from sitq import ValidationError
from sitq.notebook import BackgroundWorker, LiveHandle

QT = """
    from PySide6 import QtCore
    app = QtCore.QCoreApplication([])
    window, quit_ = QtCore.QObject(), app.quit
    def loop(): app.exec()
"""
TK = """
    import tkinter
    window = tkinter.Tk()
    quit_, loop = window.destroy, window.mainloop
"""
PROGRAM = """
    import threading
    from sitq.notebook import start_worker

    def show(handle):
        print(handle.result(), threading.current_thread() is threading.main_thread())
        quit_()

    with start_worker("jobs.db") as w:
        w.submit(pow, 2, 10).add_done_callback(show, via=window)
        loop()
"""


async def test_callback_runs_on_the_running_loop(worker: BackgroundWorker) -> None:
    ended: asyncio.Future[tuple[LiveHandle[int], threading.Thread]] = asyncio.get_running_loop().create_future()
    handle = worker.submit(pow, 2, 3)

    handle.add_done_callback(lambda done: ended.set_result((done, threading.current_thread())))
    done, thread = await asyncio.wait_for(ended, 5)

    assert (done is handle, done.result(), thread is threading.main_thread()) == (True, 8, True)


def test_callback_without_a_loop_may_ask_for_the_value(worker: BackgroundWorker) -> None:
    values: Queue[int] = Queue()

    worker.submit(pow, 2, 3).add_done_callback(lambda handle: values.put(handle.result()))

    assert values.get(timeout=5) == 8


def test_callback_of_an_ended_task_comes_at_once(worker: BackgroundWorker) -> None:
    ended: Queue[str] = Queue()
    handle = worker.submit(len, "abc")
    handle.result(5)

    handle.add_done_callback(ended.put, via=lambda call: call())

    assert ended.get(timeout=5) == handle


def test_callback_of_a_failed_task_comes_too(worker: BackgroundWorker) -> None:
    ended: Queue[str | None] = Queue()

    worker.submit(len, 7).add_done_callback(lambda handle: ended.put(handle.status))

    assert ended.get(timeout=5) == "failed"


@pytest.mark.parametrize("via", [object(), "main", 7])
def test_callback_must_be_told_a_place_that_is_one(worker: BackgroundWorker, via: Any) -> None:
    with pytest.raises(ValidationError, match="via must be an event loop, a Tk widget"):
        worker.submit(len, "").add_done_callback(print, via=via)


@pytest.mark.desktop
def test_callback_runs_on_the_thread_of_qt(tmp_path: Path) -> None:
    pytest.importorskip("PySide6")

    assert run_program(QT + PROGRAM, tmp_path) == "1024 True\n"


@pytest.fixture
def display() -> Iterator[str]:
    with virtual_display() as name:
        yield name


@pytest.mark.desktop
def test_callback_runs_on_the_thread_of_tk(tmp_path: Path, display: str) -> None:
    pytest.importorskip("tkinter")

    assert run_program(TK + PROGRAM, tmp_path, DISPLAY=display) == "1024 True\n"


def run_program(code: str, folder: Path, **environment: str) -> str:
    command = [sys.executable, "-c", textwrap.dedent(code)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout
