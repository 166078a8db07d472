"""Starts attempts, each where its function belongs: on the event loop or on a daemon thread."""

import contextvars
from collections.abc import Sequence

from sitq.attempts import Attempt, Done, LoopAttempt, ThreadAttempt
from sitq.core import LOOP_EXECUTOR, Claim
from sitq.middleware import Middleware
from sitq.serialization import CallSerializer
from sitq.threads import ThreadPool
from sitq.wrapping import WrappedAttempt


class Runner:
    """Starts attempts on the running loop and on daemon threads.

    Args:
        serializer: reads calls and writes values.
        done: called on the loop with the outcome of each attempt.
        middleware: stands around each attempt, the first one outermost.
    """

    def __init__(self, serializer: CallSerializer, done: Done, middleware: Sequence[Middleware] = ()) -> None:
        self._serializer = serializer
        self._done = done
        self._middleware = middleware
        self._threads = ThreadPool("sitq-task")
        self._context = contextvars.copy_context()

    def start(self, claim: Claim) -> Attempt:
        """Begin an attempt, in a copy of the context in which the worker was started.

        It never raises: whatever goes wrong is its outcome.
        """
        return self._context.copy().run(self._wrap, claim)

    def _wrap(self, claim: Claim) -> Attempt:
        if self._middleware:
            return WrappedAttempt(claim, self._serializer, self._done, self._middleware, self._start)
        return self._start(claim, self._done)

    def _start(self, claim: Claim, done: Done) -> Attempt:
        if claim.executor == LOOP_EXECUTOR:
            return LoopAttempt(claim, self._serializer, done)
        return ThreadAttempt(claim, self._serializer, done, self._threads)

    def close(self) -> None:
        """Let the threads end."""
        self._threads.close()
