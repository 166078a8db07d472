"""Runs a command on a pseudo-terminal, types into it and reads what it sends."""

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Sequence

_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_=>78])")


class Terminal:
    """A program and the screen that it believes to have."""

    def __init__(self, process: subprocess.Popen[bytes], descriptor: int) -> None:
        self._process = process
        self._descriptor = descriptor
        self.sent = b""
        self.heard_at = 0.0

    @property
    def pid(self) -> int:
        return self._process.pid

    def type(self, keys: str) -> None:
        os.write(self._descriptor, keys.encode())

    def read_until(self, words: str, *, within: float = 10.0) -> str:
        """Read on until these words have been sent, and give back what has been sent since the last call."""
        begun, deadline = len(self.sent), time.monotonic() + within
        while words not in self.text(begun):
            assert time.monotonic() < deadline, f"{words!r} was not sent, but {self.text(begun)[-600:]!r}"
            self._read(0.05)
        return self.text(begun)

    def read(self, seconds: float) -> None:
        """Read all that is sent in this time."""
        deadline = time.monotonic() + seconds
        while (rest := deadline - time.monotonic()) > 0:
            self._read(rest)

    def text(self, begun: int = 0) -> str:
        """What was sent, without the sequences that place and colour it."""
        return _SEQUENCE.sub("", self.sent[begun:].decode(errors="backslashreplace"))

    def sequences(self) -> set[str]:
        """The sequences that were sent."""
        return set(_SEQUENCE.findall(self.sent.decode(errors="backslashreplace")))

    def wait(self, *, within: float = 10.0) -> int:
        """Read until the program ends, and return its exit code."""
        deadline = time.monotonic() + within
        while self._process.poll() is None and time.monotonic() < deadline:
            self._read(0.05)
        self._read(0.05)
        return self._process.wait(timeout=1)

    def _read(self, seconds: float) -> None:
        if select.select([self._descriptor], [], [], seconds)[0]:
            with contextlib.suppress(OSError):  # the program has ended
                self.sent += os.read(self._descriptor, 65_536)
                self.heard_at = time.perf_counter()


@contextlib.contextmanager
def terminal(arguments: Sequence[str], *, columns: int = 160, rows: int = 45) -> Iterator[Terminal]:
    """Run Python with these arguments on a terminal of this size."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    environment = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LINES": "", "COLUMNS": ""}
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={name: value for name, value in environment.items() if value},
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def main() -> None:
    """Run Python with the arguments given, on a terminal that nobody looks at, until standard input ends."""
    with terminal(sys.argv[1:]) as screen:
        while not select.select([sys.stdin], [], [], 0)[0]:
            screen.read(0.1)


if __name__ == "__main__":
    main()
