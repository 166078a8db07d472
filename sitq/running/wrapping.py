"""An attempt with middleware around it: one outcome out, whatever the middleware does."""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial

from sitq.core import Cause, Claim, Outcome, TaskStatus
from sitq.exceptions import SitqError, ValidationError
from sitq.middleware import Middleware
from sitq.retry import Retry
from sitq.running.attempts import Attempt, Done
from sitq.running.outcomes import failure, stopped
from sitq.serialization import CallSerializer, load_call


class WrappedAttempt:
    """Middleware in one asyncio task, in whose context the attempt itself begins.

    Args:
        middleware: the first one is the outermost.
        start: begins the attempt itself.
        done: called on the loop with what the outermost middleware made of the outcome.
    """

    def __init__(
        self,
        claim: Claim,
        serializer: CallSerializer,
        done: Done,
        middleware: Sequence[Middleware],
        start: Callable[[Claim, Done], Attempt],
    ) -> None:
        self.claim = claim
        self._serializer = serializer
        self._done = done
        self._middleware = middleware
        self._start = start
        self._begun = time.monotonic()
        self._inner: Attempt | None = None
        self._cause: Cause | None = None
        loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[Outcome] = loop.create_future()
        self._running = loop.create_task(self._run(0))
        self._running.add_done_callback(self._end)

    def stop(self, cause: Cause) -> None:
        """Stop the attempt itself while it runs, and the middleware before and after it."""
        if self._inner is not None and not self._ended.done():
            self._inner.stop(cause)
        elif self._cause is None:
            self._cause = cause
            self._running.cancel()

    def _end(self, running: asyncio.Task[Outcome]) -> None:
        self._done(self._judge(asyncio.CancelledError()) if running.cancelled() else running.result())

    async def _run(self, place: int) -> Outcome:
        """Run one middleware and all inside of it. What goes wrong is the outcome, which those outside of it get."""
        if place == len(self._middleware):
            return await self._attempt()
        middleware = self._middleware[place]
        try:
            outcome = await middleware(self.claim, partial(self._run, place + 1))
            if fault := self._fault(outcome):
                raise ValidationError(f"middleware {_name(middleware)} must return the attempt's outcome, got {fault}")
            return outcome
        except BaseException as exc:  # as in an attempt: SystemExit too ends the task and not the worker
            return self._judge(exc)

    async def _attempt(self) -> Outcome:
        if self._inner is not None:
            raise ValidationError(f"call_next was called twice for {self.claim.id}; an attempt runs once")
        if self._cause is not None:
            return stopped(self.claim, self._cause, self._begun)
        self._inner = self._start(self.claim, self._ended.set_result)
        try:
            return await asyncio.shield(self._ended)
        except asyncio.CancelledError:  # a middleware waits no longer
            self._inner.stop(Cause.CANCELLED)
            raise

    def _judge(self, exc: BaseException) -> Outcome:
        if self._cause is None or not isinstance(exc, asyncio.CancelledError):
            return failure(self.claim, exc, self._begun, self._policy())
        if self._ended.done():  # the work is done, only the middleware was stopped
            return self._ended.result()
        return stopped(self.claim, self._cause, self._begun)

    def _policy(self) -> Retry | None:
        """Read the policy out of the payload, which nobody but the attempt itself has loaded."""
        if self.claim.max_attempts == 1:
            return None
        try:
            *_, policy = load_call(self._serializer, self.claim.payload, self.claim.inputs)
            return policy
        except SitqError:  # it cannot be loaded, or a value that it needs is gone
            return None

    def _fault(self, outcome: object) -> str | None:
        """Say what is wrong with what a middleware returned: a store takes every outcome at its word."""
        if not isinstance(outcome, Outcome):
            return type(outcome).__name__
        claim = self.claim
        if (outcome.id, outcome.attempt, outcome.queue) != (claim.id, claim.attempt, claim.queue):
            return f"that of {outcome.id} attempt {outcome.attempt} in {outcome.queue!r}"
        if outcome.status is TaskStatus.RUNNING:
            return "one that is still running"
        if (outcome.status is TaskStatus.SUCCESS) != isinstance(outcome.value, bytes):
            return f"status {outcome.status} with a value of type {type(outcome.value).__name__}; bytes go with success"
        return None


def _name(middleware: Middleware) -> str:
    return getattr(middleware, "__qualname__", type(middleware).__qualname__)
