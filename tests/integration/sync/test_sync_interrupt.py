"""Ctrl-C in a blocking call: it arrives at once, and the queue goes on."""

import signal
import sys
import time
from pathlib import Path

import pytest
from processes import Program, Programs

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send to one process")


@pytest.fixture
def waiting(path: Path, programs: Programs) -> Program:
    program = programs.start("../sync/programs/wait_for_ever.py", path)
    program.wait_for_output("waiting")
    time.sleep(0.1)  # from the line to the call that blocks
    return program


def test_interrupt_arrives_within_half_a_second(waiting: Program) -> None:
    sent_at = time.monotonic()
    waiting.send(signal.SIGINT)
    waiting.wait_for_output("interrupted")

    assert time.monotonic() - sent_at < 0.5


def test_queue_can_be_used_after_an_interrupt(waiting: Program) -> None:
    waiting.send(signal.SIGINT)

    assert waiting.wait() == 0
    assert waiting.out.splitlines()[-1] == "task is pending"
    assert waiting.err == ""
