"""Starts attempts, each where its function belongs: on the event loop or on a daemon thread."""

import contextvars
from collections.abc import Callable

from sitq.attempts import Attempt, Done, LoopAttempt, ThreadAttempt
from sitq.context import Reporter
from sitq.core import LOOP_EXECUTOR, Claim
from sitq.serialization import CallSerializer
from sitq.threads import ThreadPool


class Runner:
    """Starts attempts on the running loop and on daemon threads.

    Args:
        serializer: reads calls and writes values.
        done: called on the loop with the outcome of each attempt.
        reporter_of: makes what takes an attempt's progress and output; None when nobody listens.
    """

    def __init__(
        self, serializer: CallSerializer, done: Done, reporter_of: Callable[[Claim], Reporter] | None = None
    ) -> None:
        self._serializer = serializer
        self._done = done
        self._reporter_of = reporter_of
        self._threads = ThreadPool("sitq-task")
        self._context = contextvars.copy_context()

    def start(self, claim: Claim) -> Attempt:
        """Begin an attempt, in a copy of the context in which the worker was started.

        It never raises: whatever goes wrong is its outcome.
        """
        return self._context.copy().run(self._start, claim)

    def _start(self, claim: Claim) -> Attempt:
        reporter = None if self._reporter_of is None else self._reporter_of(claim)
        if claim.executor == LOOP_EXECUTOR:
            return LoopAttempt(claim, self._serializer, self._done, reporter=reporter)
        return ThreadAttempt(claim, self._serializer, self._done, self._threads, reporter)

    def close(self) -> None:
        """Let the threads end."""
        self._threads.close()
