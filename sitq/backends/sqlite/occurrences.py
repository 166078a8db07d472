"""How a SQLite store writes the occurrence of a schedule that a task was stored for.

A task's column `schedule` names its occurrence: microseconds, a space, the schedule's name.
"""

from datetime import datetime

from sitq.backends.moments import moment_at, since_epoch

OF_SCHEDULE = "substr(task.schedule, instr(task.schedule, ' ') + 1) = :schedule"


def occurrence_text(moment: datetime, schedule: str) -> str:
    return f"{since_epoch(moment)} {schedule}"


def occurrence_of(text: str | None) -> tuple[str, datetime] | tuple[None, None]:
    """Read a task's column `schedule`: the schedule's name and the moment."""
    if text is None:
        return None, None
    microseconds, _, name = text.partition(" ")
    return name, moment_at(int(microseconds))
