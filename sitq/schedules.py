"""When schedules fire: functions of a schedule and a moment, which know no clock and no store."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from difflib import get_close_matches
from itertools import takewhile
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from sitq.core import Task
from sitq.exceptions import ConfigurationError, ValidationError
from sitq.recurring import Firing, Schedule, ScheduleInfo
from sitq.validation import one_of, positive, text

# Occurrences that "all" fires at most after a pause; of more, these are the newest.
MOST_CAUGHT_UP = 1000

_ON_TIME = 60.0  # seconds by which an occurrence may be late before "none" takes it for missed
_SHORTEST = 0.01  # seconds of an interval
_WINDOW = timedelta(seconds=1)

_EXAMPLE = 'five fields such as "0 8 * * mon-fri" (minute, hour, day, month, weekday)'


class Recurrence(NamedTuple):
    """How a call is to recur, as it was asked for and not checked yet; see `Schedule`."""

    cron: str | None = None
    every: float | None = None
    timezone: str | tzinfo | None = None
    catch_up: str = "last"


def new_schedule(task: Task, recurrence: Recurrence, *, name: str, now: datetime) -> Schedule:
    """Check how a task is to recur, and find the first occurrence after `now`.

    Raises:
        ValidationError: an argument cannot be right, or the moment never comes.
        ConfigurationError: this system has no time zones.
    """
    cron, every, timezone, catch_up = recurrence
    if (cron is None) == (every is None):
        raise ValidationError(
            f'give cron="0 8 * * *" or every=60.0, one of them: got cron={cron!r} and every={every!r}'
        )
    if every is not None and timezone is not None:
        raise ValidationError(f"timezone goes with cron, an interval is the same in every zone: got {timezone!r}")
    schedule = Schedule(
        name=text("name", name),
        task=task,
        cron=None if cron is None else " ".join(text("cron", cron).split()),
        every=None if every is None else _interval(every),
        timezone=None if timezone is None else _zone_name(timezone),
        catch_up=one_of("catch_up", catch_up, tuple(_CATCH_UP)),
        next_at=now,
    )
    first = next_occurrence(schedule, now)
    if first is None:
        raise ValidationError(f"cron must name a moment that comes, got {cron!r}, which never does")
    return replace(schedule, next_at=first)


def occurrences(schedule: Schedule | ScheduleInfo, after: datetime) -> Iterator[datetime]:
    """Yield the occurrences after a moment, in UTC, each later than the one before."""
    if schedule.cron is not None:
        return _cron_occurrences(schedule.cron, _zone(schedule.timezone), after)
    if schedule.every is None or schedule.next_at is None:
        return iter(())
    return _interval_occurrences(timedelta(seconds=schedule.every), schedule.next_at, after)


def next_occurrence(schedule: Schedule | ScheduleInfo, now: datetime) -> datetime | None:
    """Tell the first occurrence after a moment; None when there is none."""
    return next(occurrences(schedule, now), None)


def plan(schedule: ScheduleInfo, now: datetime) -> Firing | None:
    """Tell what a schedule owes now, by its way of catching up; None when it has no occurrence at all.

    Where its next occurrence lies ahead it owes nothing, and goes on with the first one after `now`.

    Raises:
        ValidationError: the store holds what cannot be right.
        ConfigurationError: this system has no time zones.
    """
    due_at = schedule.next_at
    if due_at is None:
        return None
    catch_up = _CATCH_UP[one_of("catch_up", schedule.catch_up, tuple(_CATCH_UP))]
    if schedule.every is not None:
        _interval(schedule.every)
    return Firing(
        schedule=schedule.name,
        due_at=due_at,
        occurrences=tuple(catch_up(schedule, due_at, now)),
        next_at=next_occurrence(schedule, now),
    )


def _last(schedule: ScheduleInfo, due_at: datetime, now: datetime) -> Sequence[datetime]:
    return _newest(schedule, due_at, now, limit=1)


def _all(schedule: ScheduleInfo, due_at: datetime, now: datetime) -> Sequence[datetime]:
    return _newest(schedule, due_at, now, limit=MOST_CAUGHT_UP)


def _none(schedule: ScheduleInfo, due_at: datetime, now: datetime) -> Sequence[datetime]:
    return [moment for moment in _last(schedule, due_at, now) if (now - moment).total_seconds() <= _ON_TIME]


_CATCH_UP: dict[str, Callable[[ScheduleInfo, datetime, datetime], Sequence[datetime]]] = {
    "last": _last,
    "all": _all,
    "none": _none,
}


def _newest(schedule: ScheduleInfo, due_at: datetime, now: datetime, *, limit: int) -> Sequence[datetime]:
    """List the newest occurrences from `due_at` to `now`, the oldest first.

    It walks forward through ever longer stretches that end now: a year of minutes would take seconds.
    """
    if due_at > now:
        return ()
    stretch = _WINDOW
    while now - due_at > stretch:
        found = _walk(schedule, now - stretch, now, limit)
        if len(found) == limit:
            return found
        stretch *= 4
    found = _walk(schedule, due_at, now, limit)
    return found if len(found) == limit else [due_at, *found]


def _walk(schedule: ScheduleInfo, after: datetime, now: datetime, limit: int) -> Sequence[datetime]:
    return deque(takewhile(now.__ge__, occurrences(schedule, after)), maxlen=limit)


def _interval_occurrences(every: timedelta, anchor: datetime, after: datetime) -> Iterator[datetime]:
    moment = anchor + every * ((after - anchor) // every)
    while True:
        moment += every
        yield moment


def _cron_occurrences(cron: str, zone: tzinfo, after: datetime) -> Iterator[datetime]:
    from cronsim import CronSim, CronSimError  # a worker without cron schedules never loads it

    if len(cron.split()) != 5:
        raise ValidationError(f"cron must have {_EXAMPLE}, got {cron!r}")
    try:
        moments = CronSim(cron, after.astimezone(zone))
    except (CronSimError, ValueError) as exc:
        raise ValidationError(f"cron must have {_EXAMPLE}, got {cron!r}: {str(exc).lower():.60}") from exc
    return _later(moments, after)


def _later(moments: Iterator[datetime], after: datetime) -> Iterator[datetime]:
    """Keep what is later than all before: in the hour that comes twice cronsim may begin with one that has passed."""
    latest = after
    for moment in moments:
        moment = moment.astimezone(UTC)
        if moment > latest:
            latest = moment
            yield moment


def _interval(every: float) -> float:
    seconds = positive("every", every)
    if seconds < _SHORTEST:
        raise ValidationError(f"every must be at least {_SHORTEST} seconds, got {every!r}")
    return seconds


def _zone_name(timezone: str | tzinfo) -> str:
    """Check a zone and give its name."""
    if timezone is UTC:
        return "UTC"
    name = timezone.key if isinstance(timezone, ZoneInfo) else timezone
    if not isinstance(name, str):
        raise ValidationError(f'timezone must be a name such as "Europe/Berlin" or a ZoneInfo of one, got {timezone!r}')
    _zone(name)
    return name


def _zone(name: str | None) -> tzinfo:
    if name is None or name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as exc:  # unknown, no such name at all, a folder of zones
        known = available_timezones()
        if not known:
            raise ConfigurationError(f"timezone {name!r} needs a zone database; run: pip install tzdata") from exc
        near = get_close_matches(name, known, n=1) or [zone for zone in sorted(known) if zone.endswith(f"/{name}")]
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValidationError(f'timezone must be a name such as "Europe/Berlin", got {name!r}{hint}') from exc
