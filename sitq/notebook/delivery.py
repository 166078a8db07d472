"""Where a callback runs: on the event loop or on the one thread that a desktop toolkit allows to touch its windows."""

import asyncio
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from sitq.exceptions import ValidationError

Post = Callable[[Callable[[], object]], object]

_TK_INTERVAL = 20  # milliseconds between two looks for callbacks: Tk can only be asked from its own thread
_QT = ("PySide6", "PyQt6", "PySide2", "PyQt5")


def post_via(via: Any) -> Post:
    """Make a function that runs others where `via` says, and may be called on any thread.

    Args:
        via: an event loop, a Tk widget, a Qt object, or a function that takes a function; None means the running
            loop, or without one a thread of its own.

    Raises:
        ValidationError: it is none of these.
    """
    if via is None:
        return _on_running_loop()
    if isinstance(via, asyncio.AbstractEventLoop):
        return via.call_soon_threadsafe
    if (tkinter := sys.modules.get("tkinter")) is not None and isinstance(via, tkinter.Misc):
        return _TkMailbox(via).post
    for toolkit in _QT:
        core = sys.modules.get(f"{toolkit}.QtCore")
        if core is not None and isinstance(via, core.QObject):
            return _qt_post(core, via)
    if callable(via):
        post: Post = via
        return post
    raise ValidationError(
        f"via must be an event loop, a Tk widget, a Qt object or a function that takes a function, got {via!r}"
    )


def _on_running_loop() -> Post:
    try:
        return asyncio.get_running_loop().call_soon_threadsafe
    except RuntimeError:
        return _on_new_thread


def _on_new_thread(function: Callable[[], object]) -> None:
    threading.Thread(target=function, name="sitq-callback", daemon=True).start()


class _TkMailbox:
    """Functions that wait for Tk's thread, which must be the one that makes this. It lives as long as the program's
    main window, and ends with the first function: each callback has a mailbox of its own."""

    def __init__(self, widget: Any) -> None:
        self._root = widget.nametowidget(".")
        self._waiting: deque[Callable[[], object]] = deque()
        self._look()

    def post(self, function: Callable[[], object]) -> None:
        self._waiting.append(function)

    def _look(self) -> None:
        if self._waiting:
            self._waiting.popleft()()
        else:
            self._root.after(_TK_INTERVAL, self._look)


def _qt_post(core: Any, target: Any) -> Post:
    signal, slot = (core.Signal, core.Slot) if hasattr(core, "Signal") else (core.pyqtSignal, core.pyqtSlot)

    class Mailbox(core.QObject):  # type: ignore[misc]  # which Qt it is shows only now
        posted = signal(object)

        @slot(object)  # type: ignore[untyped-decorator]
        def run(self, function: Callable[[], object]) -> None:
            self.deleteLater()
            function()

    mailbox = Mailbox(target)  # which keeps it alive
    mailbox.posted.connect(mailbox.run)
    return lambda function: mailbox.posted.emit(function)
