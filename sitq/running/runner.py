"""Starts attempts, each where its function belongs: on the event loop, on a daemon thread or in a child process."""

import contextvars
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from sitq.context import Reporter
from sitq.core import LOOP_EXECUTOR, PROCESS_EXECUTOR, Claim, Result
from sitq.middleware import Middleware
from sitq.running.attempts import Attempt, Done, LoopAttempt, ProcessAttempt, ThreadAttempt
from sitq.running.children import ChildPool
from sitq.running.staging import StagedAttempt
from sitq.running.threads import ThreadPool
from sitq.running.tracebacks import with_locals
from sitq.running.wrapping import WrappedAttempt
from sitq.serialization import CallSerializer


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """Where and how a worker runs its attempts.

    Attributes:
        executor: "thread" or "process", for tasks that do not say and are no coroutine functions.
        max_tasks_per_child: calls after which a child process is replaced; None means never.
        output_limit: bytes of output to keep of each attempt; with 0 nothing is captured.
        context_of: gives the context of an attempt by its task's id; None means a copy of the worker's.
        middleware: stands around each attempt, the first one outermost.
        traceback_locals: tell in tracebacks the variables of the user's own frames.
    """

    executor: str
    max_tasks_per_child: int | None
    output_limit: int
    context_of: Callable[[str], contextvars.Context] | None
    middleware: Sequence[Middleware]
    traceback_locals: bool


class Runner:
    """Starts attempts on the running loop, on daemon threads and in child processes.

    Args:
        serializer: reads calls and writes values.
        done: called on the loop with the outcome of each attempt.
        reporter_of: makes what takes an attempt's progress and output.
        inputs_of: looks up what the tasks came to whose values a task takes.
    """

    def __init__(
        self,
        serializer: CallSerializer,
        done: Done,
        reporter_of: Callable[[Claim], Reporter],
        inputs_of: Callable[[str], Awaitable[Mapping[str, Result]]],
        settings: RunSettings,
    ) -> None:
        self._serializer = serializer
        self._done = done
        self._reporter_of = reporter_of
        self._inputs_of = inputs_of
        self._executor = settings.executor
        self._middleware = settings.middleware
        self._traceback_locals = settings.traceback_locals
        self._threads = ThreadPool("sitq-task")
        self._children = ChildPool(
            serializer,
            max_tasks=settings.max_tasks_per_child,
            captures=settings.output_limit > 0,
            traceback_locals=settings.traceback_locals,
        )
        self._context = contextvars.copy_context()
        self._context_of = settings.context_of or (lambda _: self._context.copy())

    def start(self, claim: Claim) -> Attempt:
        """Begin an attempt, in a copy of the context in which the worker was started unless its settings say otherwise.

        It never raises: whatever goes wrong is its outcome.
        """
        if claim.waited:
            return StagedAttempt(claim, self._with_inputs, self._start_in_context, self._done)
        return self._start_in_context(claim)

    async def _with_inputs(self, claim: Claim) -> Claim:
        return claim._replace(inputs=await self._inputs_of(claim.id))

    def _start_in_context(self, claim: Claim) -> Attempt:
        return self._context_of(claim.id).run(self._wrap, claim)

    def _wrap(self, claim: Claim) -> Attempt:
        with_locals.set(self._traceback_locals)
        if self._middleware:
            return WrappedAttempt(claim, self._serializer, self._done, self._middleware, self._start)
        return self._start(claim, self._done)

    def _start(self, claim: Claim, done: Done) -> Attempt:
        reporter = self._reporter_of(claim)
        executor = claim.executor or self._executor
        if executor == LOOP_EXECUTOR:
            return LoopAttempt(claim, self._serializer, done, reporter)
        if executor == PROCESS_EXECUTOR:
            return ProcessAttempt(claim, done, self._children, reporter)
        return ThreadAttempt(claim, self._serializer, done, self._threads, reporter)

    async def close(self) -> None:
        """Let the threads end, and end the children."""
        self._threads.close()
        await self._children.close()
