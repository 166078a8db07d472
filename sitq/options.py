"""What can be said about a task beside its function and arguments, checked before anything is stored."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from sitq.core import DEFAULT_QUEUE, OnConflict
from sitq.exceptions import ValidationError
from sitq.retry import Retry
from sitq.validation import aware, integer, not_negative, positive, text


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOptions:
    """The options of a task.

    Attributes:
        queue: the lane; "default" unless given.
        priority: higher runs first; 0 unless given.
        eta: earliest start, a timezone-aware datetime in any zone.
        delay: seconds to wait before it is due.
        expires: seconds after enqueueing in which it may start.
        timeout: seconds that one attempt may run.
        retry: a `Retry` policy, or the number of attempts; without one a failure is final.
        key: at most one unfinished task may hold it.
        on_conflict: what happens when one does: "return" its handle, "raise", or "replace" it if it has not started.
        tags: words to find the task by.
        meta: JSON-serializable facts of your own.
        name: what people see instead of the function's name.
        retention: seconds to keep the task after it ended; for ever unless given.

    Raises:
        ValidationError: an option cannot be right.
    """

    queue: str = DEFAULT_QUEUE
    priority: int = 0
    eta: datetime | None = None
    delay: float = 0.0
    expires: float | None = None
    timeout: float | None = None
    retry: Retry | None = None
    key: str | None = None
    on_conflict: OnConflict = OnConflict.RETURN
    tags: tuple[str, ...] = ()
    meta: Mapping[str, Any] | None = None
    name: str | None = None
    retention: float | None = None

    def __post_init__(self) -> None:
        text("queue", self.queue)
        integer("priority", self.priority)
        not_negative("delay", self.delay)
        for name in ("expires", "timeout", "retention"):
            if (seconds := getattr(self, name)) is not None:
                positive(name, seconds)
        for name in ("key", "name"):
            if (value := getattr(self, name)) is not None:
                text(name, value)
        if self.eta is not None:
            aware("eta", self.eta)
        if self.eta is not None and self.delay:
            raise ValidationError(f"give eta or delay, not both: got eta={self.eta} and delay={self.delay}")

    def as_task_fields(self) -> dict[str, Any]:
        """Give those that are fields of a `Task` as they are."""
        return {name: getattr(self, name) for name in _NAMES if name not in _OWN}

    def changed(self, **options: Any) -> "TaskOptions":
        """Make options that differ from these in the ones named.

        Raises:
            ValidationError: there is no such option, or it cannot be right.
        """
        for name in options:
            if name not in _NAMES:
                near = get_close_matches(name, _NAMES, n=1)
                known = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(_NAMES)}"
                raise ValidationError(f"there is no option {name!r}; {known}")
        return replace(self, **{name: _CONVERT.get(name, _keep)(value) for name, value in options.items()})


_OWN = frozenset({"retry", "name"})  # what the task's fields of these names hold is decided elsewhere
_NAMES = tuple(field.name for field in fields(TaskOptions))


def _keep(value: Any) -> Any:
    return value


def _retry(value: Retry | int | None) -> Retry | None:
    if value is None or isinstance(value, Retry):
        return value
    return Retry(max_attempts=integer("retry", value))


def _conflict(value: str) -> OnConflict:
    try:
        return OnConflict(value)
    except ValueError as exc:
        raise ValidationError(f'on_conflict must be "return", "raise" or "replace", got {value!r}') from exc


def _tags(value: Sequence[str]) -> tuple[str, ...]:
    if isinstance(value, str):
        raise ValidationError(f"tags must be a list of words, got {value!r}")
    return tuple(text("tag", tag) for tag in value)


def _meta(value: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as exc:
        raise ValidationError(f"meta must be JSON-serializable: {exc}") from exc
    return value


_CONVERT: dict[str, Callable[[Any], Any]] = {"retry": _retry, "on_conflict": _conflict, "tags": _tags, "meta": _meta}
