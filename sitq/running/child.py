"""What runs in a child process of a worker: one call at a time."""

import contextlib
import contextvars
import faulthandler
import inspect
import os
import pickle
import signal
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from types import FrameType
from typing import Any

from sitq import context
from sitq._niceness import pass_on_niceness
from sitq.context import TaskContext, attempt_context
from sitq.core import Claim, Outcome
from sitq.exceptions import TaskCancelledError, TaskLostError
from sitq.retry import Retry
from sitq.running.frames import Frame, claim_of, encode, outcome_frame, receive_frame
from sitq.running.lifeline import die_with_worker, has_news
from sitq.running.outcomes import failure, success
from sitq.running.tracebacks import with_locals
from sitq.serialization import CallSerializer, load_call

_PROGRESS_INTERVAL = 0.1  # seconds between two frames with progress
_OVERTAKING = 0.05  # seconds by which a signal may be ahead of the word that it comes from the worker


def main(connection_fd: int, lifeline: int) -> None:
    """Serve the worker at the other end of a socket until it closes.

    Args:
        lifeline: a pipe that the worker never writes to, and that closes when it ends.
    """
    connection = socket.socket(fileno=connection_fd)
    for fd in (connection_fd, lifeline):
        os.set_inheritable(fd, False)
    die_with_worker(lifeline, connection)
    facts, (pickled,) = receive_frame(connection)
    pass_on_niceness()
    sys.path[:] = facts["path"]
    with_locals.set(facts["traceback_locals"])
    CallServer(connection, pickle.loads(pickled), _Output(facts["marker"])).serve()


class CallServer:
    """The child's side of the conversation. It needs no thread, so that user code may fork."""

    def __init__(self, connection: socket.socket, serializer: CallSerializer, output: "_Output") -> None:
        self._connection = connection
        self._serializer = serializer
        self._output = output
        self._sending = threading.Lock()
        self._running: TaskContext | None = None

    def serve(self) -> None:
        """Run calls as they come, until the worker closes the connection or asks to stop."""
        os.register_at_fork(after_in_child=self._leave)
        self._listen_to_signals()
        self.send({"kind": "ready"})
        with contextlib.suppress(OSError, EOFError):
            while (frame := receive_frame(self._connection))[0]["kind"] != "stop" and not self._worker_says_stop():
                contextvars.copy_context().run(self._run, frame)
                self._listen_to_signals()

    def _listen_to_signals(self) -> None:
        """Take SIGTERM again, which this process was born without or a call has left without."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})

    def _leave(self) -> None:
        """In a fork of this process, leave the conversation: it is its parent's, whose end must be noticed."""
        self._connection.close()
        self._output.leave()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def _run(self, frame: Frame) -> None:
        claim = claim_of(frame)
        begun, reporter = time.monotonic(), _Reporter(self)
        self._running = attempt_context(claim, begun, reporter)
        context.enter(self._running)
        try:
            outcome = self._outcome(claim, begun)
        finally:
            self._running = None
        reporter.close()
        self._output.mark()
        self.send(*outcome_frame(outcome))

    def _outcome(self, claim: Claim, begun: float) -> Outcome:
        retry: Retry | None = None
        try:
            function, args, kwargs, retry = load_call(self._serializer, claim.payload, claim.inputs)
            if retry is not None:
                self._tell_waits(claim, retry)
            value = function(*args, **kwargs)
            if inspect.isawaitable(value):
                import asyncio  # half of the time that it takes to start a child; most never need it

                value = asyncio.run(_awaited(value))
            return success(claim, self._serializer.dumps(value), begun)
        except BaseException as exc:  # whatever user code raises, SystemExit too, ends the task and not the child
            return failure(claim, exc, begun, retry)

    def _tell_waits(self, claim: Claim, retry: Retry) -> None:
        """Tell when the next attempt is due if this one does not come to an end: then nobody here can say it."""
        timeout, death = retry.wait_after(claim.failures + 1), retry.wait_after(claim.failures + 1, TaskLostError(""))
        self.send({"kind": "waits", "timeout": timeout, "death": death})

    def send(self, facts: Mapping[str, Any], blobs: Sequence[bytes] = ()) -> None:
        with self._sending, contextlib.suppress(OSError):  # the worker is gone, and this process with it
            self._connection.sendall(encode(facts, blobs))

    def _stop(self, number: int, frame: FrameType | None) -> None:
        """Take SIGTERM: the task was cancelled or its time is up, and may clean up in the little time that is left.

        It is taken from the worker alone: a service manager that stops a worker signals all of its processes, but the
        worker gives its tasks a grace.
        """
        task = self._running
        if task is not None and not task.stop_requested and self._worker_says_stop(_OVERTAKING):
            task.stop_requested = True
            raise TaskCancelledError("the task was asked to stop", task_id=task.id)

    def _worker_says_stop(self, seconds: float = 0.0) -> bool:
        """Tell whether something comes during a call, or before one that has not begun: it can be nothing else."""
        try:
            return has_news(self._connection.fileno(), seconds) and bool(self._connection.recv(1, socket.MSG_PEEK))
        except (OSError, ValueError):  # user code closed it
            return False


class _Output:
    """The streams of this process, into which a marker goes after each call.

    Args:
        marker: tells the worker that it has read all that a call printed; None when it does not read.
    """

    def __init__(self, marker: str | None) -> None:
        self._flush_c = _flush_of_c()
        self._marker = b""
        self._fds: list[int] = []
        if marker is not None:
            self._marker = f"\0{marker}\0".encode()
            self._fds = [os.dup(1), os.dup(2)]  # user code may close 1 and 2, and get the numbers for its files
            for stream in (sys.stdout, sys.stderr):
                stream.reconfigure(  # type: ignore[union-attr]  # they are the pipes to the worker
                    encoding="utf-8", errors="backslashreplace", line_buffering=True
                )
        faulthandler.enable(self._fds[1] if self._fds else 2, all_threads=False)

    def mark(self) -> None:
        for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
            with contextlib.suppress(OSError, ValueError, AttributeError):  # user code closed or replaced it
                stream.flush()  # type: ignore[union-attr]  # it may be None
        self._flush_c()
        for fd in self._fds:
            os.write(fd, self._marker)

    def leave(self) -> None:
        """Print no marker any more."""
        self._fds = []


def _flush_of_c() -> Callable[[], object]:
    """Give what writes out the streams of C's own library, which keep what they are given until they are full."""
    try:
        import ctypes

        flush = ctypes.CDLL(None).fflush
    except (ImportError, OSError, AttributeError):
        return lambda: None
    return partial(flush, None)


class _Reporter:
    """Sends the newest progress of a call, a few times a second. What the call prints goes through its streams."""

    def __init__(self, server: CallServer) -> None:
        self._server = server
        self._newest: tuple[float | None, float | None, str | None] | None = None
        self._news = threading.Event()
        self._closed = False
        self._sender: threading.Thread | None = None

    def progress(self, done: float | None, total: float | None, message: str | None) -> None:
        self._newest = (done, total, message)
        self._news.set()
        if self._sender is None:
            self._sender = threading.Thread(target=self._send_now_and_then, name="sitq-progress", daemon=True)
            self._sender.start()

    def write(self, stream: str, text: str) -> None:
        getattr(sys, stream).write(text)

    def close(self) -> None:
        """Send what has not been sent; later words of threads that the call left behind go nowhere."""
        if self._sender is not None:
            self._closed = True
            self._send()
            self._news.set()

    def _send_now_and_then(self) -> None:
        while self._news.wait() and not self._closed:
            self._send()
            time.sleep(_PROGRESS_INTERVAL)

    def _send(self) -> None:
        if self._news.is_set():
            self._news.clear()
            self._server.send({"kind": "progress", "progress": self._newest})


async def _awaited(value: Awaitable[Any]) -> Any:
    return await value
