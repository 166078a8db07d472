"""What tasks write to stdout and stderr, copied on its way while it goes where it would have gone."""

import logging
import sys
import threading
from collections.abc import Iterable
from typing import Any

from sitq.context import current_task, hides_output

_NAMES = ("stdout", "stderr")


class Tee:
    """Stands in for a stream: passes all through, and copies to its task what a task writes.

    Args:
        stream: what `sys.stdout` or `sys.stderr` was.
        name: "stdout" or "stderr".
    """

    def __init__(self, stream: Any, name: str) -> None:
        self._stream = stream
        self._name = name

    def write(self, text: str) -> Any:
        task = current_task()
        if task is not None and task.reporter is not None:
            task.reporter.write(self._name, text)
        if hides_output.get():
            return len(text)
        return self._stream.write(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __iter__(self) -> Any:
        return iter(self._stream)

    def __repr__(self) -> str:
        return f"<Tee of {self._stream!r}>"


class Capture:
    """Puts the tees in place while at least one worker of this process runs.

    Log handlers that hold a stream from before are turned to its tee meanwhile, so that a task's log lines count as
    what it writes: those that are shown, as they are shown.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._tees: list[Tee] = []

    def begin(self) -> None:
        with self._lock:
            self._users += 1
        self.renew()

    def renew(self) -> None:
        """Put the tees in place again if somebody has put other streams there meanwhile."""
        if type(sys.stdout) is Tee and type(sys.stderr) is Tee:
            return
        with self._lock:
            for name in _NAMES:
                if self._users and type(getattr(sys, name)) is not Tee:
                    self._put(name)

    def end(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                for name in _NAMES:
                    stream = getattr(sys, name)
                    if type(stream) is Tee:  # else somebody put theirs on top, and ours only passes through
                        setattr(sys, name, stream._stream)
                for tee in self._tees:
                    _turn_handlers(tee, tee._stream)
                self._tees = []

    def _put(self, name: str) -> None:
        stream = getattr(sys, name)
        if stream is None:  # a program without a console
            return
        tee = Tee(stream, name)
        self._tees.append(tee)
        setattr(sys, name, tee)
        _turn_handlers(stream, tee)


capture = Capture()  # of this process: it has one stdout


def _turn_handlers(source: Any, target: Any) -> None:
    loggers = [logging.getLogger(), *logging.Logger.manager.loggerDict.values()]
    for handler in {handler for logger in loggers for handler in getattr(logger, "handlers", ())}:
        if isinstance(handler, logging.StreamHandler) and handler.stream is source:
            handler.setStream(target)
