"""Asks again until it is so, where a test would otherwise wait for a fixed time."""

import time
from collections.abc import Callable


def until(probe: Callable[[], object], timeout: float = 5.0) -> None:
    """Return when `probe` answers with something true."""
    deadline = time.monotonic() + timeout
    while not probe():
        assert time.monotonic() < deadline, f"it did not become so in {timeout} s"
        time.sleep(0.01)
