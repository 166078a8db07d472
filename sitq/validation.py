"""The checks at the doors: each returns what it was given, or says in one line what would be right."""

import math
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sitq.exceptions import ValidationError

_LONGEST = 1000 * 365.25 * 86400  # no store counts further


def at_least_one(name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValidationError(f"{name} must be an integer of 1 or more, got {value!r}")
    return integer(name, value)


def integer(name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValidationError(f"{name} must be an integer, got {value!r}")
    if abs(value) >= 1 << 31:
        raise ValidationError(f"{name} must be less than 2**31 either way, got {value}")
    return value


def positive(name: str, seconds: float) -> float:
    if not _is_number(seconds) or seconds <= 0:
        raise ValidationError(f"{name} must be more than 0 seconds, got {seconds!r}")
    return _bounded(name, seconds)


def not_negative(name: str, seconds: float) -> float:
    if not _is_number(seconds) or seconds < 0:
        raise ValidationError(f"{name} must be 0 seconds or more, got {seconds!r}")
    return _bounded(name, seconds)


def one_of(name: str, value: str, choices: Sequence[str]) -> str:
    if value not in choices:
        *others, last = (f'"{choice}"' for choice in choices)
        raise ValidationError(f"{name} must be {', '.join(others)} or {last}, got {value!r}")
    return value


def amount(name: str, number: float) -> float:
    if not _is_number(number) or number < 0:
        raise ValidationError(f"{name} must be a number, 0 or more, got {number!r}")
    return float(number)


def _bounded(name: str, seconds: float) -> float:
    if seconds > _LONGEST:
        raise ValidationError(f"{name} must be at most {_LONGEST:.0f} seconds, a thousand years, got {seconds!r}")
    return float(seconds)


def aware(name: str, moment: datetime) -> datetime:
    if not isinstance(moment, datetime):
        hint = "; for a wait from now use delay" if isinstance(moment, (int, float, timedelta)) else ""
        raise ValidationError(f"{name} must be a timezone-aware datetime, got {moment!r}{hint}")
    if moment.utcoffset() is None:
        raise ValidationError(f"{name} must be timezone-aware, got {moment}; add tzinfo=timezone.utc or your zone")
    return moment


def text(name: str, value: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValidationError(f"{name} must be a text that is not empty, got {value!r}")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as exc:
            raise ValidationError(f"{name} must be valid Unicode, got {value!r} with a lone surrogate") from exc
    return value


def queue_names(queues: Sequence[str] | None) -> tuple[str, ...] | None:
    if queues is None:
        return None
    if isinstance(queues, str) or not queues:
        raise ValidationError(f'queues must be a list of names such as ["default"], or None for all, got {queues!r}')
    return tuple(text("queue", name) for name in queues)


def task_ids(name: str, ids: str | Iterable[str]) -> tuple[str, ...]:
    """Give each id once, and as no more than that if it is a handle."""
    if isinstance(ids, str):
        ids = (ids,)
    if isinstance(ids, bytes) or not isinstance(ids, Iterable):
        raise ValidationError(f"{name} must be a task's handle or id, or a list of them, got {ids!r:.60}")
    return tuple(dict.fromkeys(str(text(name, task_id)) for task_id in ids))


def arguments(args: Sequence[Any]) -> tuple[Any, ...]:
    if isinstance(args, (str, bytes)) or not isinstance(args, Sequence):
        raise ValidationError(f"each call needs a tuple of its arguments, such as ({args!r:.40},), got {args!r:.40}")
    return tuple(args)


def callable_object(function: Any) -> Any:
    if not callable(function):
        hint = "; pass the function itself, without calling it" if hasattr(function, "__await__") else ""
        raise ValidationError(f"a task must be callable, got {type(function).__name__} {function!r:.60}{hint}")
    return function


def _is_number(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)
