"""A screen that nobody sees, for desktop programs under test."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def virtual_display() -> Iterator[str]:
    """Start an X server without a screen and give its name; skip the test where there is none to start."""
    server = shutil.which("Xvfb")
    if server is None:
        pytest.skip("Tk needs a display, and Xvfb is not installed")
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [server, "-displayfd", str(writing), "-nolisten", "tcp"], pass_fds=(writing,), stderr=subprocess.DEVNULL
    )
    os.close(writing)
    with os.fdopen(reading) as answer:
        name = f":{answer.readline().strip()}"
    try:
        yield name
    finally:
        process.terminate()
        process.wait(timeout=10)
