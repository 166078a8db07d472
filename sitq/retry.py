"""Whether an attempt is followed by another, and after how long: policy, and what a task itself may raise."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sitq.exceptions import ValidationError
from sitq.validation import at_least_one, not_negative

ExceptionTypes = tuple[type[BaseException], ...]


@dataclass(frozen=True, slots=True)
class Retry:
    """Run a task again when it fails.

    The wait after the n-th failure is `delay * backoff**(n - 1)` seconds, at most `max_delay`. With jitter it is drawn
    evenly from the upper half of that, so that many tasks that failed together do not come back together.

    Attributes:
        max_attempts: how often the task may fail or run out of time, the first run included.
        delay: seconds before the second attempt.
        backoff: factor from one wait to the next.
        max_delay: seconds that no wait exceeds.
        on: exception types that are worth another attempt.
        give_up_on: exception types among those that are not.

    Raises:
        ValidationError: a number is out of range or a type is no exception.
    """

    max_attempts: int = 3
    delay: float = 1.0
    backoff: float = 2.0
    max_delay: float = 3600.0
    jitter: bool = True
    on: ExceptionTypes = (Exception,)
    give_up_on: ExceptionTypes = ()

    def __post_init__(self) -> None:
        at_least_one("max_attempts", self.max_attempts)
        not_negative("delay", self.delay)
        not_negative("max_delay", self.max_delay)
        if not isinstance(self.backoff, (int, float)) or not 1 <= self.backoff < math.inf:
            raise ValidationError(f"backoff must be a number of 1 or more, got {self.backoff!r}")
        for name, kinds in (("on", self.on), ("give_up_on", self.give_up_on)):
            if not isinstance(kinds, tuple) or not all(map(_is_exception_type, kinds)):
                raise ValidationError(f"{name} must be a tuple of exception types such as (OSError,), got {kinds!r}")

    def wait_after(self, failures: int, exc: BaseException | None = None) -> float | None:
        """Seconds until the next attempt; None when there is none.

        `RetryAfter` chooses the wait itself, and `Discard` ends the task.

        Args:
            failures: how often the task has failed or run out of time, this time included.
            exc: what it failed with; None after a timeout.
        """
        if failures >= self.max_attempts or isinstance(exc, Discard):
            return None
        if isinstance(exc, RetryAfter):
            return exc.delay
        if not self._is_worth(exc):
            return None
        longest = self._longest_wait(failures)
        return longest * random.uniform(0.5, 1.0) if self.jitter else longest

    def _longest_wait(self, failures: int) -> float:
        if not self.delay:
            return 0.0
        try:
            return min(self.delay * float(self.backoff) ** (failures - 1), self.max_delay)
        except OverflowError:
            return self.max_delay

    def _is_worth(self, exc: BaseException | None) -> bool:
        return exc is None or (isinstance(exc, self.on) and not isinstance(exc, self.give_up_on))


class RetryAfter(Exception):  # what a task raises reads as the wish that it is
    """Raised in a task: this attempt failed; try again after so many seconds.

    It is charged to the task's policy, or to `Retry()` if it has none.

    Args:
        delay: seconds until the next attempt.
        reason: what to show as the error.
    """

    def __init__(self, delay: float, reason: str = "") -> None:
        super().__init__(reason or f"again in {delay:g} s")
        self.delay = not_negative("delay", delay)

    def __reduce__(self) -> tuple[type["RetryAfter"], tuple[float, str]]:
        return type(self), (self.delay, str(self))


class Snooze(Exception):  # as above
    """Raised in a task: not now; run me again after so many seconds. It counts as no attempt of any policy.

    Args:
        delay: seconds until the next run.
    """

    def __init__(self, delay: float) -> None:
        super().__init__(f"again in {delay:g} s")
        self.delay = not_negative("delay", delay)

    def __reduce__(self) -> tuple[type["Snooze"], tuple[float]]:
        return type(self), (self.delay,)


class Discard(Exception):  # as above
    """Raised in a task with a reason: it failed for good, whatever its policy says."""


def _is_exception_type(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseException)


@dataclass(frozen=True, slots=True)
class RetriedCall:
    """A function on its way to the worker together with its policy."""

    function: Callable[..., Any]
    retry: Retry

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)


def unwrap(function: Callable[..., Any]) -> tuple[Callable[..., Any], Retry | None]:
    """Part a function that came out of a payload from its policy."""
    return (function.function, function.retry) if isinstance(function, RetriedCall) else (function, None)
