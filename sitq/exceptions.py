"""Every error that sitq raises on purpose, for callers who want to catch one kind and not another.

SitqError
├── ValidationError (also ValueError)          an argument cannot be right
├── ConfigurationError                         the installation or its settings cannot work
├── SerializationError                         a call or a value cannot become bytes, or bytes cannot become it
├── ResourceExhaustionError                    disk full, payload too large
├── TaskQueueError
│   ├── TimeoutError (also builtin)            the time is up, the task goes on
│   └── SyncTaskQueueError (also RuntimeError) the blocking face was used where it would block a loop
├── BackendError                               the store refused or failed
│   ├── StoreBusyError                         it is locked by another program; may pass by itself
│   └── ConnectionError (also builtin)         the store cannot be reached
└── WorkerError
    └── TaskExecutionError                     the task ended without a value
        ├── TaskTimeoutError                   it ran longer than its timeout
        ├── TaskLostError                      its worker died while running it
        └── TaskCancelledError                 somebody cancelled it
"""

import builtins
from typing import Any


class SitqError(Exception):
    """Base of all errors of sitq.

    Args:
        message: what was wrong, what was given and what would be right, on one line.
        cause: the exception that led here; `raise … from exc` sets it too.
        context: facts for programs, by name (`task_id="…"`).
    """

    def __init__(self, message: str, *, cause: BaseException | None = None, **context: Any) -> None:
        super().__init__(message)
        self.context: dict[str, Any] = context
        if cause is not None:
            self.__cause__ = cause

    @property
    def message(self) -> str:
        return str(self.args[0])

    @property
    def cause(self) -> BaseException | None:
        """The exception that led to this one, as `raise … from` records it."""
        return self.__cause__


class ValidationError(SitqError, ValueError):
    """An argument cannot be right; nothing was stored."""


class ConfigurationError(SitqError):
    """The installation or its settings cannot work: a missing extra, an unknown URL, an old SQLite."""


class SerializationError(SitqError):
    """A call or a value cannot become bytes, or bytes cannot become it."""


class ResourceExhaustionError(SitqError):
    """A limit was met: the disk is full, or a payload is larger than allowed."""


class TaskQueueError(SitqError):
    """The producer's side could not do what was asked."""


class TimeoutError(TaskQueueError, builtins.TimeoutError):
    """The time given for waiting is up; the task itself goes on."""


class SyncTaskQueueError(TaskQueueError, RuntimeError):
    """`SyncTaskQueue` was used where it would block a running event loop."""


class BackendError(SitqError):
    """The store refused or failed; `cause` is the driver's error.

    Attributes:
        transient: it may pass by itself, so that a worker tries again.
    """

    transient = False


class StoreBusyError(BackendError):
    """Another program keeps the store locked, or the operating system cannot serve it right now."""

    transient = True


class ConnectionError(BackendError, builtins.ConnectionError):
    """The store cannot be reached or opened."""


# What a store in trouble raises: who can do without it for a while catches these, and tries again.
STORE_TROUBLE = (BackendError, ResourceExhaustionError)


class WorkerError(SitqError):
    """The worker's side failed."""


class TaskExecutionError(WorkerError):
    """The task ended without a value.

    Args:
        message: the task's own error on one line, as `Result.error` has it.
        traceback: the traceback as text, as it was where the task ran.
    """

    def __init__(
        self, message: str, *, traceback: str | None = None, cause: BaseException | None = None, **context: Any
    ) -> None:
        super().__init__(message, cause=cause, **context)
        self.traceback = traceback
        if traceback:
            self.add_note(f"\nWhere the task ran:\n{traceback.rstrip()}")


class TaskTimeoutError(TaskExecutionError):
    """The task ran longer than its timeout."""


class TaskLostError(TaskExecutionError):
    """The task's worker died while running it, more often than is allowed, or its own process died."""


class TaskCancelledError(TaskExecutionError):
    """Somebody cancelled the task before it had a value."""


def unknown_task(task_id: str) -> TaskQueueError:
    """Make the error of who asks for a task that is not there."""
    return TaskQueueError(f"there is no task {task_id!s}; it was deleted, or is in another store", task_id=str(task_id))


_BY_NAME = {error.__name__: error for error in (TaskTimeoutError, TaskLostError, TaskCancelledError)}


def execution_error(error: str, *, traceback: str | None, task_id: str) -> TaskExecutionError:
    """Make the error of a task from how it is stored, "ValueError: …" or "TaskTimeoutError: …"."""
    name, _, reason = error.partition(": ")
    if name in _BY_NAME:
        return _BY_NAME[name](reason, traceback=traceback, task_id=task_id)
    message = reason if name == TaskExecutionError.__name__ else error
    return TaskExecutionError(message, traceback=traceback, task_id=task_id)
