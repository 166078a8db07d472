"""A child process of a worker: runs one call at a time, and ends with its worker, whatever the call is doing."""

import atexit
import contextlib
import faulthandler
import inspect
import os
import pickle
import queue
import signal
import socket
import sys
import threading
import time
from collections.abc import Awaitable
from datetime import datetime
from types import FrameType
from typing import Any

from sitq import context
from sitq._frames import Frame, encode, receive_frame
from sitq.context import TaskContext
from sitq.core import Claim, Outcome, Result, TaskStatus
from sitq.exceptions import TaskCancelledError, TaskLostError
from sitq.outcomes import failure, success
from sitq.retry import Retry, unwrap
from sitq.serialization import CallSerializer, load_call

_PROGRESS_INTERVAL = 0.1  # seconds between two frames with progress
_LAST_WORDS = 1.0  # seconds for exit handlers, when the worker is gone


def main(connection_fd: int, lifeline: int) -> None:
    """Serve the worker at the other end of a socket until it closes.

    Args:
        lifeline: a pipe that the worker never writes to, and that closes when it ends.
    """
    connection = socket.socket(fileno=connection_fd)
    _watch(lifeline, connection)
    faulthandler.enable(all_threads=False)
    facts, (pickled,) = receive_frame(connection)
    sys.path[:] = facts["path"]
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # it is the pipe to the worker
    Child(connection, pickle.loads(pickled), facts["marker"]).serve()


def _watch(lifeline: int, connection: socket.socket) -> None:
    """Leave a process behind that kills this group when the worker is gone.

    A thread alone cannot do it: C code that keeps the GIL would hold it up for ever.
    """
    if not hasattr(os, "fork"):
        return
    if os.fork() != 0:  # the interpreter is new: it has no thread yet that a fork could break
        os.close(lifeline)
        return
    connection.close()  # or the worker would not notice that this process's parent has died
    nowhere = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(nowhere, fd)
    os.read(lifeline, 1)
    os.killpg(0, signal.SIGKILL)


class Child:
    """The child's side of the conversation.

    Args:
        marker: printed to both streams after each call, so that the worker knows that it has read all of it.
    """

    def __init__(self, connection: socket.socket, serializer: CallSerializer, marker: str) -> None:
        self._connection = connection
        self._serializer = serializer
        self._marker = f"\0{marker}\0".encode()
        self._sending = threading.Lock()
        self._calls: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        self._running: TaskContext | None = None
        self._stopping = False

    def serve(self) -> None:
        """Run calls as they come, until the worker closes the connection or asks to stop."""
        signal.signal(signal.SIGTERM, self._stop)
        atexit.register(_kill_group)  # the first to be registered runs last
        threading.Thread(target=self._listen, name="sitq-listen", daemon=True).start()
        self.send({"kind": "ready"})
        while not self._stopping and (frame := self._calls.get()) is not None:
            self._run(frame)

    def _listen(self) -> None:
        """Take calls on a thread of its own, which notices at once that the worker is gone."""
        with contextlib.suppress(OSError, EOFError):
            while True:
                self._calls.put(receive_frame(self._connection))
        self._calls.put(None)
        if self._running is None:
            time.sleep(_LAST_WORDS)
        _kill_group()

    def _run(self, frame: Frame) -> None:
        facts, (payload, *values) = frame
        claim = _claim_of(facts["claim"], payload, _inputs_of(facts["inputs"], values))
        begun = time.monotonic()
        deadline = None if claim.timeout is None else begun + claim.timeout
        reporter = _Reporter(self)
        self._running = TaskContext(
            claim.id, claim.attempt, claim.name, deadline, reporter=reporter, scheduled_at=claim.scheduled_at
        )
        token = context.enter(self._running)
        try:
            outcome = self._outcome(claim, begun)
        finally:
            context.leave(token)
            self._running = None
        reporter.close()
        self._mark_output()
        value = [] if outcome.value is None else [outcome.value]
        self.send({"kind": "outcome", "outcome": outcome._replace(value=None)._asdict()}, value)

    def _outcome(self, claim: Claim, begun: float) -> Outcome:
        retry: Retry | None = None
        try:
            function, arguments, keywords = load_call(self._serializer, claim)
            function, retry = unwrap(function)
            if retry is not None:
                self._tell_waits(claim, retry)
            value = function(*arguments, **keywords)
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

    def _mark_output(self) -> None:
        for stream, fd in ((sys.stdout, 1), (sys.stderr, 2)):
            with contextlib.suppress(OSError, ValueError, AttributeError):  # user code closed or replaced it
                stream.flush()
            with contextlib.suppress(OSError):
                os.write(fd, self._marker)

    def send(self, facts: dict[str, Any], blobs: list[bytes] | None = None) -> None:
        with self._sending, contextlib.suppress(OSError):  # the worker is gone; the listening thread ends this
            self._connection.sendall(encode(facts, blobs or ()))

    def _stop(self, number: int, frame: FrameType | None) -> None:
        """Take SIGTERM: the task was cancelled or its time is up, and may clean up in the little time that is left."""
        self._stopping = True
        if self._running is None:
            self._calls.put(None)
        elif not self._running.stop_requested:
            self._running.stop_requested = True
            raise TaskCancelledError("the task was asked to stop", task_id=self._running.id)


class _Reporter:
    """Sends the newest progress of a call, a few times a second. What the call prints goes through its streams."""

    def __init__(self, child: Child) -> None:
        self._child = child
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
            self._child.send({"kind": "progress", "progress": self._newest})


def _claim_of(facts: dict[str, Any], payload: bytes, inputs: dict[str, Result]) -> Claim:
    moment = facts["scheduled_at"]
    scheduled_at = None if moment is None else datetime.fromisoformat(moment)
    return Claim(**{**facts, "scheduled_at": scheduled_at}, payload=payload, inputs=inputs)


def _inputs_of(facts: list[dict[str, Any]], values: list[bytes]) -> dict[str, Result]:
    results = [
        Result(**{**single, "status": TaskStatus(single["status"])}, value=value)
        for single, value in zip(facts, values, strict=True)
    ]
    return {result.task_id: result for result in results}


async def _awaited(value: Awaitable[Any]) -> Any:
    return await value


def _kill_group() -> None:
    """Kill this process and all that it has started and that has stayed in its session."""
    if hasattr(os, "killpg"):
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
