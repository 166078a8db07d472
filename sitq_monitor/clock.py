"""What time it is, and how often what is shown of it is looked at anew."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Tells the time, by which ages and running times are counted."""

TICK = 1.0
"""Seconds between two looks at ages and running times."""


def utc_now() -> datetime:
    return datetime.now(UTC)
