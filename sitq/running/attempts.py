"""One attempt that runs: a claim in, an outcome out. Load, call, dump and judge happen here and nowhere else."""

import asyncio
import contextvars
import inspect
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Protocol

from sitq import context
from sitq.context import Reporter, attempt_context
from sitq.core import Cause, Claim, Outcome
from sitq.retry import Retry
from sitq.running.children import Child, ChildDiedError, ChildPool
from sitq.running.outcomes import died, failure, stopped, success, timed_out, wait_after_timeout
from sitq.running.threads import ThreadPool
from sitq.serialization import CallSerializer, load_call

Done = Callable[[Outcome], None]


class Attempt(Protocol):
    """An attempt that runs."""

    claim: Claim

    def stop(self, cause: Cause) -> None:
        """End it: cancelled, or given back. An attempt on a thread is recorded at once and its thread abandoned."""


class LoopAttempt:
    """A coroutine function, or what a function on a thread returned to be awaited. It is stopped by cancellation."""

    def __init__(
        self,
        claim: Claim,
        serializer: CallSerializer,
        done: Done,
        reporter: Reporter,
        *,
        awaitable: Awaitable[Any] | None = None,
        begun: float | None = None,
        retry: Retry | None = None,
    ) -> None:
        self.claim = claim
        self._reporter = reporter
        self._serializer = serializer
        self._awaitable = awaitable
        self._begun = time.monotonic() if begun is None else begun
        self._retry = retry
        self._done = done
        self._cause: Cause | None = None
        self._running = asyncio.get_running_loop().create_task(self._run())
        self._running.add_done_callback(self._end)

    def stop(self, cause: Cause) -> None:
        if self._cause is None:  # a second cancellation would interrupt the clean-up after the first
            self._cause = cause
            self._running.cancel()

    def _end(self, running: asyncio.Task[Outcome]) -> None:
        if running.cancelled():  # it cancelled itself with its last step
            self._done(self._judge(asyncio.CancelledError()))
        else:
            self._done(running.result())

    async def _run(self) -> Outcome:
        try:
            context.enter(attempt_context(self.claim, self._begun, self._reporter))
            if self._awaitable is None:
                function, args, kwargs, self._retry = load_call(self._serializer, self.claim.payload, self.claim.inputs)
                self._awaitable = function(*args, **kwargs)
            value = await self._in_time(self._awaitable)
            return success(self.claim, self._serializer.dumps(value), self._begun)
        except BaseException as exc:  # whatever user code raises, SystemExit too, ends the task and not the worker
            return self._judge(exc)

    async def _in_time(self, awaitable: Any) -> Any:
        if not inspect.isawaitable(awaitable):
            return awaitable
        if self.claim.timeout is None:
            return await awaitable
        limit = asyncio.timeout(self.claim.timeout - (time.monotonic() - self._begun))
        try:
            async with limit:
                return await awaitable
        except TimeoutError:
            if limit.expired():
                self._cause = Cause.TIMEOUT
            raise

    def _judge(self, exc: BaseException) -> Outcome:
        if self._cause is Cause.TIMEOUT:
            return timed_out(self.claim, self._begun, wait_after_timeout(self.claim, self._retry))
        if self._cause is not None and isinstance(exc, asyncio.CancelledError):
            return stopped(self.claim, self._cause, self._begun)
        return failure(self.claim, exc, self._begun, self._retry)


class ThreadAttempt:
    """Any other function, on a daemon thread: load, call and dump in one hop, under a copy of the context.

    If the function returns an awaitable (a lambda around a coroutine function, say), that runs on the loop.
    """

    def __init__(
        self, claim: Claim, serializer: CallSerializer, done: Done, threads: ThreadPool, reporter: Reporter
    ) -> None:
        self.claim = claim
        self._serializer = serializer
        self._done = done
        self._reporter = reporter
        self._begun = time.monotonic()
        self._context = attempt_context(claim, self._begun, reporter)
        self._retry: Retry | None = None
        self._on_loop: LoopAttempt | None = None
        self._timer: asyncio.TimerHandle | None = None
        if claim.timeout is not None:
            self._timer = asyncio.get_running_loop().call_later(claim.timeout, self._time_is_up)
        self._copy = contextvars.copy_context()
        self._ticket = threads.submit(partial(self._copy.run, self._run), self._end)

    def stop(self, cause: Cause) -> None:
        if self._on_loop is not None:
            self._on_loop.stop(cause)
            return
        self._abandon(stopped(self.claim, cause, self._begun))

    def _run(self) -> "Outcome | _Awaitable":
        context.enter(self._context)
        try:
            function, args, kwargs, self._retry = load_call(self._serializer, self.claim.payload, self.claim.inputs)
            value = function(*args, **kwargs)
            if inspect.isawaitable(value):
                return _Awaitable(value)
            return success(self.claim, self._serializer.dumps(value), self._begun)
        except BaseException as exc:  # as on the loop
            return failure(self.claim, exc, self._begun, self._retry)

    def _end(self, outcome: "Outcome | _Awaitable") -> None:
        if self._timer is not None:
            self._timer.cancel()
        if isinstance(outcome, _Awaitable):
            self._on_loop = self._copy.run(
                LoopAttempt,
                self.claim,
                self._serializer,
                self._done,
                self._reporter,
                awaitable=outcome.value,
                begun=self._begun,
                retry=self._retry,
            )
        else:
            self._done(outcome)

    def _time_is_up(self) -> None:
        self._abandon(timed_out(self.claim, self._begun, wait_after_timeout(self.claim, self._retry)))

    def _abandon(self, outcome: Outcome) -> None:
        if not self._ticket.abandoned:
            if self._timer is not None:
                self._timer.cancel()
            self._context.stop_requested = True
            self._ticket.abandon()
            self._done(outcome)


class ProcessAttempt:
    """A call in a child process, which is killed if it must stop."""

    def __init__(self, claim: Claim, done: Done, children: ChildPool, reporter: Reporter) -> None:
        self.claim = claim
        self._done = done
        self._children = children
        self._reporter = reporter
        self._begun = time.monotonic()
        self._cause: Cause | None = None
        self._running = asyncio.get_running_loop().create_task(self._run())
        self._running.add_done_callback(self._end)

    def stop(self, cause: Cause) -> None:
        if self._cause is None:  # a second cancellation would interrupt the killing
            self._cause = cause
            self._running.cancel()

    def _end(self, running: asyncio.Task[Outcome]) -> None:
        if running.cancelled():  # before its first step
            self._done(stopped(self.claim, self._cause or Cause.RELEASED))
        else:
            self._done(running.result())

    async def _run(self) -> Outcome:
        try:
            child = await self._children.take()
        except asyncio.CancelledError:
            return stopped(self.claim, self._cause or Cause.RELEASED, self._begun)
        except Exception as exc:  # no memory, no processes, a serializer that does not travel
            return failure(self.claim, exc, self._begun, Retry(max_attempts=self.claim.max_attempts))
        return await self._run_in(child)

    async def _run_in(self, child: Child) -> Outcome:
        try:
            async with asyncio.timeout(self.claim.timeout):
                outcome = await child.run(self.claim, self._reporter)
        except ChildDiedError as exc:
            return died(self.claim, self._begun, child.wait_after_death, how=str(exc), traceback=exc.traceback)
        except TimeoutError:
            await child.killed()
            return timed_out(self.claim, self._begun, child.wait_after_timeout)
        except asyncio.CancelledError:
            await child.killed()
            return stopped(self.claim, self._cause or Cause.RELEASED, self._begun)
        self._children.give_back(child)
        return outcome


class _Awaitable:
    """What a function returned that must be awaited."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value
