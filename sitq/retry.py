"""Whether a failed attempt is followed by another, and after how long: pure policy."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sitq.exceptions import ValidationError

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
        if self.max_attempts < 1:
            raise ValidationError(f"max_attempts must be 1 or more, got {self.max_attempts}")
        for name, least in (("delay", 0), ("backoff", 1), ("max_delay", 0)):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= least):
                raise ValidationError(f"{name} must be a finite number of {least} or more, got {value}")
        for kind in (*self.on, *self.give_up_on):
            if not (isinstance(kind, type) and issubclass(kind, BaseException)):
                raise ValidationError(f"on and give_up_on must hold exception types, got {kind!r}")

    def wait_after(self, failures: int, exc: BaseException | None = None) -> float | None:
        """Seconds until the next attempt; None when there is none.

        Args:
            failures: how often the task has failed or run out of time, this time included.
            exc: what it failed with; None after a timeout.
        """
        if failures >= self.max_attempts or not self._is_worth(exc):
            return None
        # The exponent is bounded so that the float cannot overflow long before max_delay is met.
        longest = min(self.delay * self.backoff ** min(failures - 1, 512), self.max_delay)
        return longest * random.uniform(0.5, 1.0) if self.jitter else longest

    def _is_worth(self, exc: BaseException | None) -> bool:
        return exc is None or (isinstance(exc, self.on) and not isinstance(exc, self.give_up_on))


@dataclass(frozen=True, slots=True)
class RetriedCall:
    """A function on its way to the worker together with its policy."""

    function: Callable[..., Any]
    retry: Retry

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)
