"""The states of tasks as stores keep them, and what people are told of them."""

from sitq.core import Cause, TaskStatus

# What a pending task waits for is part of the stored state, so that the index of claimable rows holds nothing else.
# In SQL the numbers stand as literals: partial indexes and the statements that must use them compare texts.
PARKED = -2  # needs another Python version
BLOCKED = -1  # needs other tasks to end
SCHEDULED = 0  # needs its moment to come
READY = 1
RUNNING = 2
SUCCESS = 3
FAILED = 4
CANCELLED = 5

STATUS = {
    PARKED: TaskStatus.PENDING,
    BLOCKED: TaskStatus.PENDING,
    SCHEDULED: TaskStatus.PENDING,
    READY: TaskStatus.PENDING,
    RUNNING: TaskStatus.RUNNING,
    SUCCESS: TaskStatus.SUCCESS,
    FAILED: TaskStatus.FAILED,
    CANCELLED: TaskStatus.CANCELLED,
}
STATES = {status: tuple(state for state, shown in STATUS.items() if shown is status) for status in TaskStatus}

# Why the last attempt of a task ended that comes from another store, which tells only what it came to.
CAUSE_OF = {
    TaskStatus.SUCCESS: Cause.SUCCESS,
    TaskStatus.FAILED: Cause.ERROR,
    TaskStatus.CANCELLED: Cause.CANCELLED,
}


def waits_for_python(version: str | None) -> str:
    return f"a worker on Python {version}"


def waits_for_tasks(number: int) -> str:
    return "1 other task" if number == 1 else f"{number} other tasks"
