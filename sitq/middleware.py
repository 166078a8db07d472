"""What may stand around the attempts of a worker: its type, and the one that measures time."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol

from sitq.core import Claim, Outcome
from sitq.exceptions import ValidationError
from sitq.validation import positive

logger = logging.getLogger(__name__)

CallNext = Callable[[], Awaitable[Outcome]]


class Middleware(Protocol):
    """An async function, or an object that is called like one, which stands around each attempt of a worker.

    - It runs on the worker's event loop. Context variables that it sets are seen by the task's function.
    - `await call_next()` runs the attempt, or the next middleware around it, and gives the outcome, also of a function
      that raised. It may be called once.
    - What it returns is the attempt's outcome: the one that it got, or one that differs (`outcome._replace(…)`).
    - What it raises is judged as if the function had raised it: `Snooze(60)` puts the task off, `Discard("…")` fails it
      for good, any other exception is charged to the retry policy.
    - A task that is cancelled before or after the attempt itself cancels the middleware. The task's timeout bounds the
      attempt alone.

    It is called with the claim, which names the task and the number of its attempt, and with `call_next`.
    """

    async def __call__(self, claim: Claim, call_next: CallNext, /) -> Outcome: ...


def middleware_list(middleware: Sequence[Middleware]) -> tuple[Middleware, ...]:
    """Take what a worker was given.

    Raises:
        ValidationError: it is no list, or something in it cannot be called as middleware.
    """
    if not isinstance(middleware, Sequence) or isinstance(middleware, str):
        raise ValidationError(f"middleware must be a list such as [Timing()], got {middleware!r:.60}")
    for layer in middleware:
        if isinstance(layer, type):
            raise ValidationError(f"middleware must be made before it is used, such as {layer.__name__}(), got a class")
        if not callable(layer):
            raise ValidationError(
                f"middleware must be an async function or an object called like one, got {layer!r:.60}"
            )
    return tuple(middleware)


class Spent(NamedTuple):
    """What the attempts of one name took.

    Attributes:
        seconds: of all of them together.
        longest: seconds of the longest one.
    """

    attempts: int
    seconds: float
    longest: float


class Timing:
    """Adds up how long attempts take, by the name of their task, and logs each of them.

    Attributes:
        by_name: what has been spent since the start; one entry for each name.

    Args:
        slow: seconds from which on an attempt is logged as a warning; all others are logged at DEBUG.
    """

    def __init__(self, *, slow: float | None = None) -> None:
        self._slow = None if slow is None else positive("slow", slow)
        self.by_name: dict[str, Spent] = {}

    async def __call__(self, claim: Claim, call_next: CallNext, /) -> Outcome:
        outcome = await call_next()
        seconds = outcome.duration
        before = self.by_name.get(claim.name, Spent(0, 0.0, 0.0))
        self.by_name[claim.name] = Spent(before.attempts + 1, before.seconds + seconds, max(before.longest, seconds))
        is_slow = self._slow is not None and seconds >= self._slow
        level = logging.WARNING if is_slow else logging.DEBUG
        logger.log(level, "%s attempt %d of %s took %.3f s", claim.id, claim.attempt, claim.name, seconds)
        return outcome
