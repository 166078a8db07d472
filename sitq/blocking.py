"""Calls coroutine functions for code that blocks, and refuses where blocking would hold up a running loop."""

import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from sitq._portal import Portal, loop_runs_here
from sitq.exceptions import SyncTaskQueueError

T = TypeVar("T")

Method = Callable[..., Coroutine[Any, Any, T]]


class Caller:
    """Runs coroutine functions on a loop of its own, whose thread is started when the first one comes.

    Args:
        connect: opens what they work with.
    """

    def __init__(self, connect: Method[None]) -> None:
        self._connect = connect
        self._portal = Portal("sitq-client")

    def call(self, method: Method[T], *args: Any, **kwargs: Any) -> T:
        """Block until it is done.

        Raises:
            SyncTaskQueueError: called inside a coroutine.
        """
        _refuse_in_coroutine()
        if not self._portal.running:
            self._portal.start()
        return self._portal.call(method(*args, **kwargs))

    def call_here(self, method: Method[T], *args: Any, **kwargs: Any) -> T:
        """Run one that never waits, in the calling thread."""
        self.call(self._connect)
        try:
            method(*args, **kwargs).send(None)
        except StopIteration as end:
            value: T = end.value
            return value
        raise AssertionError(f"{method} waits for something")

    def close(self, method: Method[None]) -> None:
        """Run the last one and end the thread; where there is no thread, there is nothing to do."""
        if self._portal.running:
            self._portal.call(method())
            self._portal.stop()


def _refuse_in_coroutine() -> None:
    """Refuse to block a running loop, but for a notebook's: its cells are written as blocking code."""
    if loop_runs_here() and not _in_notebook():
        raise SyncTaskQueueError(
            "SyncTaskQueue would block the running event loop; use TaskQueue and await it, or call from a thread"
        )


def _in_notebook() -> bool:
    """Tell whether an IPython kernel runs this code, without importing IPython."""
    shell_module = sys.modules.get("IPython.core.getipython")
    shell = shell_module and shell_module.get_ipython()
    return getattr(shell, "kernel", None) is not None
