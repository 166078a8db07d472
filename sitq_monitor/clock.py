"""What time it is, and how often what is shown of it is looked at anew."""

from datetime import UTC, datetime

TICK = 1.0
"""Seconds between two looks at ages and running times."""


def utc_now() -> datetime:
    return datetime.now(UTC)
