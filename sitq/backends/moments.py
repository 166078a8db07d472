"""Moments and durations as most stores keep them: whole microseconds, those of moments since the epoch.

Exact in both directions, unlike a float of seconds: the moment that was read is the fence of a firing.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

T = TypeVar("T")
U = TypeVar("U")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def since_epoch(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def moment_at(microseconds: int) -> datetime:
    return _EPOCH + microseconds * _MICROSECOND


def in_microseconds(seconds: float) -> int:
    return round(seconds * 1_000_000)


def in_seconds(microseconds: int) -> float:
    return microseconds / 1_000_000


def optional(convert: Callable[[T], U], value: T | None) -> U | None:
    """Convert what may be missing."""
    return None if value is None else convert(value)
