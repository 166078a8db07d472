"""What stores share about schedules: how the call of one is kept, and which of them are due."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sitq.backends.refusals import schedule_is_foreign
from sitq.core import Task, new_task_id
from sitq.recurring import DueSchedules, ScheduleInfo

# What a task has beside its name, lane and bytes; a schedule decides when it is due.
_DEFAULTS = {name: default for name, default in Task._field_defaults.items() if name not in ("queue", "eta", "delay")}

_SECOND = timedelta(seconds=1)
_NOTHING_FIRES_TWICE = timedelta(hours=1)


def options_of(task: Task) -> dict[str, Any]:
    """Tell what a task has beside its name, lane and bytes and is not the default, ready for JSON."""
    values = {name: getattr(task, name) for name in _DEFAULTS}
    return {name: value for name, value in values.items() if value != _DEFAULTS[name]}


def new_task(schedule: str, name: str, queue: str, options: Mapping[str, Any], payload: bytes) -> Task:
    """Make a new task of what a schedule holds.

    Raises:
        ConfigurationError: another version stored it.
    """
    try:
        given = {key: _as_type_of(_DEFAULTS[key], value) for key, value in options.items()}
        return Task(id=new_task_id(), name=name, queue=queue, payload=payload, **given)
    except (ValueError, KeyError) as exc:
        raise schedule_is_foreign(schedule, exc) from exc


def _as_type_of(default: Any, value: Any) -> Any:
    """Make of what JSON has kept what it was: a tuple or a member of an enumeration where the default is one."""
    return type(default)(value) if isinstance(default, (tuple, StrEnum)) else value


def due_among(schedules: Iterable[ScheduleInfo], now: datetime) -> DueSchedules:
    """Choose those that are due, for stores that cannot do so themselves."""
    waiting = [(info.next_at, info) for info in schedules if info.next_at is not None and not info.paused]
    found = sorted((at, info.name, info) for at, info in waiting if at <= now or _is_astray(info, at, now))
    ahead = [at for at, _ in waiting if at > now]
    next_in = (min(ahead) - now).total_seconds() if ahead else None
    return DueSchedules(now, tuple(info for _, _, info in found), next_in)


def _is_astray(info: ScheduleInfo, next_at: datetime, now: datetime) -> bool:
    """Tell a moment that was planned before the clock was set back.

    An interval's next one lies ahead by more than itself, and cron's last one by more than the hour within which
    nothing fires twice.
    """
    if info.every is not None:
        return next_at > now + timedelta(seconds=info.every) + _SECOND
    return info.last_at is not None and info.last_at > now + _NOTHING_FIRES_TWICE
