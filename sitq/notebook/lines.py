"""The last lines that a worker has said of itself, for who asks in a cell."""

import logging
import time
from collections import deque
from pathlib import Path

FORMAT = "%(asctime)s %(levelname)s %(message)s"
_KEPT = 500
_NEW = 5.0  # seconds
_READ = 64 * 1024  # bytes of a log file's end


class LastLines(logging.Handler):
    """Keeps the last lines that sitq logs in this process.

    It leaves the level of the loggers alone, so these are warnings and errors unless somebody has asked for more.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter(FORMAT))
        self._lines: deque[str] = deque(maxlen=_KEPT)
        self._warned: tuple[float, str] | None = None

    def begin(self) -> None:
        """Listen from now on."""
        logging.getLogger("sitq").addHandler(self)

    def end(self) -> None:
        """Listen no more; what was said stays."""
        logging.getLogger("sitq").removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.extend(self.format(record).splitlines())
        if record.levelno >= logging.WARNING:
            self._warned = time.monotonic(), record.getMessage()

    def last(self, count: int) -> list[str]:
        return list(self._lines)[-count:]

    def fresh_warning(self) -> str | None:
        """Give the last warning while it is new: what goes on is said again and again."""
        if self._warned is None or time.monotonic() > self._warned[0] + _NEW:
            return None
        return self._warned[1]


def last_lines_of(file: Path, count: int) -> list[str]:
    """Read the end of a log file; nothing if there is none."""
    try:
        with file.open("rb") as log:
            log.seek(max(0, log.seek(0, 2) - _READ))
            text = log.read()
    except FileNotFoundError:
        return []
    return text.decode(errors="replace").splitlines()[-count:]
