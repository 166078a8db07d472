"""What can be said about a task beside its function and arguments, checked before anything is stored."""

import json
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, fields, replace
from datetime import datetime
from difflib import get_close_matches
from functools import partial
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from sitq.core import DEFAULT_QUEUE, EXECUTORS, OnConflict, OnFailure, Task
from sitq.exceptions import ValidationError
from sitq.retry import Retry
from sitq.validation import aware, callable_object, integer, not_negative, one_of, positive, task_ids, text

F = TypeVar("F", bound=Callable[..., Any])


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
        retention: seconds to keep the task after it ended, until a worker or a purge removes it; for ever unless given.
        executor: "thread" or "process"; unless given, coroutine functions run on the worker's loop, others as it says.
        after: tasks, as handles or ids, that must have ended before this one starts.
        on_failure: what becomes of this one if a task that it needs does not succeed: "cancel" it, "fail" it, or "run".

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
    executor: str | None = None
    after: tuple[str, ...] = ()
    on_failure: OnFailure = OnFailure.CANCEL

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
        if self.executor is not None:
            one_of("executor", self.executor, EXECUTORS)
        if self.eta is not None:
            aware("eta", self.eta)
        if self.eta is not None and self.delay:
            raise ValidationError(f"give eta or delay, not both: got eta={self.eta} and delay={self.delay}")

    def as_task_fields(self) -> dict[str, Any]:
        """Give those that are fields of a `Task`, as they are, as far as they differ from its defaults."""
        own = {name: getattr(self, name) for name in _NAMES if name not in _OWN}
        return {name: value for name, value in own.items() if value != Task._field_defaults[name]}

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


class GivenOptions:
    """The options that a caller gave, to be laid over the defaults of each function.

    Raises:
        ValidationError: there is no such option, or it cannot be right.
    """

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = dict(given)
        self._alone = TaskOptions().changed(**given)

    def but(self, **options: Any) -> "GivenOptions":
        """Give some more, or some others; an eta takes the place of a delay, and a delay that of an eta."""
        return GivenOptions(_one_moment(self._given, options))

    def on(self, func: Callable[..., Any]) -> TaskOptions:
        """Lay them over a function's own defaults."""
        defaults = _defaults_of(func)
        return self._alone if defaults is None else defaults.changed(**_one_moment({}, self._given))


def task(**options: Any) -> Callable[[F], F]:
    """Give a function defaults for its options; the function itself stays as it is.

    ```python
    @task(queue="mail", retry=3, timeout=30.0)
    def send(to: str) -> None: ...
    ```

    Raises:
        ValidationError: there is no such option, or it cannot be right.
    """
    defaults = TaskOptions().changed(**options)

    def decorate(func: F) -> F:
        try:
            _defaults[callable_object(func)] = defaults
        except TypeError as exc:
            raise ValidationError(f"task(...) stands above a function, got {type(func).__name__}: {exc}") from exc
        return func

    return decorate


# Beside the functions and not on them: what hangs on a function sent by value would travel with it.
_defaults: WeakKeyDictionary[Callable[..., Any], TaskOptions] = WeakKeyDictionary()


def _defaults_of(func: Callable[..., Any]) -> TaskOptions | None:
    if not _defaults:
        return None
    while isinstance(func, partial):
        func = func.func
    try:
        return _defaults.get(getattr(func, "__func__", func))
    except TypeError:  # it can be called but not hashed
        return None


def _one_moment(before: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**before, **options}
    if options.get("eta") is not None and "delay" not in options:
        merged["delay"] = 0.0
    elif options.get("delay") and "eta" not in options:
        merged["eta"] = None
    return merged


_OWN = frozenset({"retry", "name", "executor"})  # what the task's fields of these names hold is decided elsewhere
_NAMES = tuple(field.name for field in fields(TaskOptions))


def _keep(value: Any) -> Any:
    return value


def _retry(value: Retry | int | None) -> Retry | None:
    if value is None or isinstance(value, Retry):
        return value
    return Retry(max_attempts=integer("retry", value))


def _conflict(value: str) -> OnConflict:
    return OnConflict(one_of("on_conflict", value, tuple(OnConflict)))


def _on_failure(value: str) -> OnFailure:
    return OnFailure(one_of("on_failure", value, tuple(OnFailure)))


def _tags(value: Sequence[str]) -> tuple[str, ...]:
    if isinstance(value, (str, bytes)) or not isinstance(value, (Sequence, Set)):
        raise ValidationError(f"tags must be a list of words, got {value!r}")
    return tuple(text("tag", tag) for tag in value)


def _meta(value: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if value is not None and not isinstance(value, Mapping):
        raise ValidationError(f'meta must be a dict such as {{"order": 7}}, got {value!r:.60}')
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as exc:
        raise ValidationError(f"meta must be JSON-serializable: {exc}") from exc
    return value


_CONVERT: dict[str, Callable[[Any], Any]] = {
    "retry": _retry,
    "on_conflict": _conflict,
    "tags": _tags,
    "meta": _meta,
    "after": partial(task_ids, "after"),
    "on_failure": _on_failure,
}
