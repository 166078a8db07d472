"""An attempt that cannot begin at once: something about its claim must be awaited first."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from sitq.core import Cause, Claim
from sitq.exceptions import SitqError
from sitq.running.attempts import Attempt, Done
from sitq.running.outcomes import failure, stopped

_PAUSE = 1.0  # seconds until a task is tried again that the store gave no inputs for


class StagedAttempt:
    """Completes a claim, then starts the attempt itself.

    Args:
        complete: looks up what the claim lacks.
        start: begins the attempt.
        done: called with the outcome if it never begins.
    """

    def __init__(
        self,
        claim: Claim,
        complete: Callable[[Claim], Awaitable[Claim]],
        start: Callable[[Claim], Attempt],
        done: Done,
    ) -> None:
        self.claim = claim
        self._start = start
        self._done = done
        self._attempt: Attempt | None = None
        self._cause: Cause | None = None
        self._completing = asyncio.ensure_future(complete(claim))
        self._completing.add_done_callback(self._go_on)

    def stop(self, cause: Cause) -> None:
        if self._attempt is not None:
            self._attempt.stop(cause)
        elif self._cause is None:
            self._cause = cause
            self._completing.cancel()

    def _go_on(self, completing: "asyncio.Future[Claim]") -> None:
        if self._cause is not None or completing.cancelled():
            self._done(stopped(self.claim, self._cause or Cause.RELEASED))
        elif isinstance(error := completing.exception(), SitqError):  # the store is in trouble, and not the task
            self._done(stopped(self.claim, Cause.RELEASED, delay=_PAUSE))
        elif error is not None:
            self._done(failure(self.claim, error, time.monotonic()))
        else:
            self._attempt = self._start(completing.result())
