"""How a SQLite store writes the moments of schedules, and the occurrence that a task was stored for.

A task's column `schedule` names its occurrence: microseconds, a space, the schedule's name.
"""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

OF_SCHEDULE = "substr(task.schedule, instr(task.schedule, ' ') + 1) = :schedule"


def occurrence_text(moment: datetime, schedule: str) -> str:
    return f"{in_microseconds(moment)} {schedule}"


def occurrence_of(text: str | None) -> tuple[str, datetime] | tuple[None, None]:
    """Read a task's column `schedule`: the schedule's name and the moment."""
    if text is None:
        return None, None
    microseconds, _, name = text.partition(" ")
    return name, exact_moment(int(microseconds))


# Exact in both directions, unlike a float of seconds: the moment that was read is the fence of a firing.
def exact_moment(microseconds: int) -> datetime:
    return _EPOCH + microseconds * _MICROSECOND


def in_microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND
