"""Background jobs for notebooks, desktop programs and scripts: any callable, one SQLite file, a live monitor.

The names below load on first use, so that importing sitq costs next to nothing and a monitor never loads a pickle.
"""

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sitq.backends import backend_from_url
    from sitq.backends.base import Backend
    from sitq.backends.sqlite import MemoryBackend, SQLiteBackend
    from sitq.context import TaskContext, check_cancelled, current_task
    from sitq.core import Result, TaskStatus
    from sitq.exceptions import (
        BackendError,
        ConfigurationError,
        SerializationError,
        SitqError,
        TaskCancelledError,
        TaskExecutionError,
        TaskLostError,
        TaskQueueError,
        TaskTimeoutError,
        ValidationError,
    )
    from sitq.executor import Executor
    from sitq.handle import TaskHandle
    from sitq.inputs import TaskId
    from sitq.inspector import Inspector
    from sitq.options import task
    from sitq.queue import TaskQueue
    from sitq.recurring import ScheduleInfo
    from sitq.retry import Discard, Retry, RetryAfter, Snooze
    from sitq.serialization import CloudpickleSerializer, JsonSerializer, SignedSerializer
    from sitq.serialization.explaining import explain
    from sitq.sync import SyncTaskQueue
    from sitq.tracking import progress, track
    from sitq.views import TaskInfo, TaskQuery
    from sitq.worker import Worker

__version__ = "0.1.0"

logging.getLogger("sitq").addHandler(logging.NullHandler())  # silent until a program sets logging up

__all__ = [
    "TaskQueue",
    "TaskHandle",
    "TaskId",
    "Worker",
    "SyncTaskQueue",
    "Executor",
    "Inspector",
    "SQLiteBackend",
    "MemoryBackend",
    "Backend",
    "backend_from_url",
    "Result",
    "TaskStatus",
    "TaskInfo",
    "TaskQuery",
    "ScheduleInfo",
    "task",
    "Retry",
    "RetryAfter",
    "Snooze",
    "Discard",
    "current_task",
    "check_cancelled",
    "progress",
    "track",
    "TaskContext",
    "CloudpickleSerializer",
    "JsonSerializer",
    "SignedSerializer",
    "explain",
    "SitqError",
    "ValidationError",
    "ConfigurationError",
    "SerializationError",
    "TaskQueueError",
    "BackendError",
    "TaskExecutionError",
    "TaskTimeoutError",
    "TaskLostError",
    "TaskCancelledError",
]

_HOMES = {
    "sitq.backends": ("backend_from_url",),
    "sitq.backends.base": ("Backend",),
    "sitq.backends.sqlite": ("MemoryBackend", "SQLiteBackend"),
    "sitq.context": ("TaskContext", "check_cancelled", "current_task"),
    "sitq.core": ("Result", "TaskStatus"),
    "sitq.exceptions": tuple(name for name in __all__ if name.endswith("Error")),
    "sitq.executor": ("Executor",),
    "sitq.handle": ("TaskHandle",),
    "sitq.inputs": ("TaskId",),
    "sitq.inspector": ("Inspector",),
    "sitq.notebook.magics": ("load_ipython_extension",),  # for `%load_ext sitq`, and not for people
    "sitq.options": ("task",),
    "sitq.queue": ("TaskQueue",),
    "sitq.recurring": ("ScheduleInfo",),
    "sitq.retry": ("Discard", "Retry", "RetryAfter", "Snooze"),
    "sitq.serialization": ("CloudpickleSerializer", "JsonSerializer", "SignedSerializer"),
    "sitq.serialization.explaining": ("explain",),
    "sitq.sync": ("SyncTaskQueue",),
    "sitq.tracking": ("progress", "track"),
    "sitq.views": ("TaskInfo", "TaskQuery"),
    "sitq.worker": ("Worker",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *_HOME]
