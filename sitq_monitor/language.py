"""The language of filters: `state:failed name:send_* -queue:mail tag:eu since:1h` and words to search for."""

import re
import shlex
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any

from sitq.core import TaskStatus
from sitq_monitor.view import END, Filter, Place

QUALIFIERS = ("state", "name", "queue", "tag", "since", "until")
EXCEPTED = {"-state": "except_statuses", "-name": "except_names", "-queue": "except_queues"}
"""Qualifiers that leave out what they match; one may be written several times."""
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGO = re.compile(r"(\d{1,6})([smhdw])")
_MOMENT = "a time ago like 30m, 6h or 7d, a time of day like 14:30, or a date like 2026-03-01"
_PART = re.compile(r"(\d{1,3}(?:\.\d+)?)\s*%")
_QUOTED = re.compile(r"[\s\"'\\]")


class FilterError(ValueError):
    """A filter cannot be understood; the message says on one line what would be."""


def parse(text: str, now: datetime) -> Filter:
    """Read a filter as a person writes it.

    Args:
        now: from which times ago are counted.

    Raises:
        FilterError: a qualifier is unknown or its value cannot be right.
    """
    found: dict[str, Any] = {}
    words: list[str] = []
    for part in _split(text):
        qualifier, colon, value = part.partition(":")
        if not colon or not qualifier.removeprefix("-").isidentifier():
            words.append(part)
            continue
        _check(qualifier, value)
        if qualifier in EXCEPTED:
            of = EXCEPTED[qualifier]
            found[of] = (*found.get(of, ()), _value_of(qualifier[1:], value, now))
        else:
            found[qualifier] = _value_of(qualifier, value, now)
    status = found.pop("state", None)
    filter = Filter(status=status, text=" ".join(words) or None, **found)
    if not filter.statuses:
        raise FilterError("no state is left to match; leave a -state: out")
    return filter


def _check(qualifier: str, value: str) -> None:
    known: Collection[str] = EXCEPTED if qualifier.startswith("-") else QUALIFIERS
    if qualifier not in known:
        raise FilterError(f"there is no {qualifier}: to filter by, but {': '.join(known)}:")
    if not value:
        raise FilterError(f"{qualifier}: needs a value right after it")


def without_state(text: str) -> str:
    """Leave out of a written filter what the tabs say."""
    return " ".join(_quoted(part) for part in _split(text) if not part.startswith("state:"))


def without_except(text: str) -> str:
    """Leave out of a written filter which states are not to be shown."""
    return " ".join(_quoted(part) for part in _split(text) if not part.startswith("-state:"))


def with_since(text: str, since: str) -> str:
    """Put another range of time into a written filter; "" takes it away."""
    kept = [_quoted(part) for part in _split(text) if not part.startswith(("since:", "until:"))]
    return " ".join([*kept, *([f"since:{since}"] if since else [])])


def moment(text: str, now: datetime) -> datetime:
    """Read a moment: a time ago, a time of day in local time, or a date.

    Raises:
        FilterError: it is none of these.
    """
    ago = _AGO.fullmatch(text)
    try:
        if ago is not None:
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        return _local(text, now).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise FilterError(f"{text!r} is no moment; write {_MOMENT}") from None


def place(text: str, now: datetime) -> Place:
    """Read a place in a list: a moment, a part like `50%`, or `end`.

    Raises:
        FilterError: it is none of these.
    """
    part = _PART.fullmatch(text)
    if part is not None:
        return min(float(part[1]) / 100, END)
    return END if text == "end" else moment(text, now)


def quoted(qualifier: str, value: str) -> str:
    """Write a qualifier with its value."""
    return _quoted(f"{qualifier}:{value}")


def _local(text: str, now: datetime) -> datetime:
    """Read a local moment; a time of day that is still to come was yesterday."""
    if "-" in text:
        return datetime.fromisoformat(text)
    here = now.astimezone()
    found = datetime.combine(here.date(), time.fromisoformat(text), here.tzinfo)
    return found if found <= here else found - timedelta(days=1)


def _value_of(qualifier: str, value: str, now: datetime) -> Any:
    if qualifier in ("since", "until"):
        return moment(value, now)
    if qualifier != "state":
        return value
    try:
        return TaskStatus(value)
    except ValueError:
        raise FilterError(f"there is no state {value!r}, but {', '.join(TaskStatus)}") from None


def _split(text: str) -> Iterator[str]:
    try:
        yield from shlex.split(text)
    except ValueError:
        yield from text.split()  # a quote is still open


def _quoted(part: str) -> str:
    return f'"{part}"' if _QUOTED.search(part) and '"' not in part else part
