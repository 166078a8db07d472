"""How the value of one task becomes an argument of another: noted as the call is pickled, filled in as it is loaded."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from sitq.core import Result, TaskStatus
from sitq.exceptions import TaskQueueError, execution_error


class TaskId(str):
    """A task's id. As an argument of another call, however deep in lists and dicts, it stands for the task's value.

    That call waits until the task has ended, and gets the value in its place. `str(task_id)` is the id and no more.
    """

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:
        return (value_of if note(self) else str), (str(self),)


class Lookup(Protocol):
    """Gives something for the id of a task."""

    def __getitem__(self, task_id: str, /) -> Any: ...


class _Here(threading.local):
    noted: dict[str, None] | None = None  # ids that the call being pickled on this thread needs, in their order
    values: Lookup | None = None  # what the call being loaded on this thread gets


_here = _Here()


class noting:  # used as a function; as a generator it cost 1 µs of a task's 70
    """Note the tasks whose values the arguments that are pickled meanwhile need.

    Args:
        noted: takes the ids; None lets ids be ids, as in a function that refers to them.
    """

    __slots__ = ("_before", "_noted")

    def __init__(self, noted: dict[str, None] | None) -> None:
        self._noted = noted

    def __enter__(self) -> None:
        self._before, _here.noted = _here.noted, self._noted

    def __exit__(self, *exc_info: object) -> None:
        _here.noted = self._before


def note(task_id: str) -> bool:
    """Note that a call needs the value of a task; False when nobody notes."""
    if _here.noted is None:
        return False
    _here.noted[str(task_id)] = None
    return True


def is_noting() -> bool:
    return _here.noted is not None


@contextmanager
def filling(values: Lookup) -> Iterator[None]:
    """Give values to the arguments that are loaded meanwhile."""
    before, _here.values = _here.values, values
    try:
        yield
    finally:
        _here.values = before


def value_of(task_id: str) -> Any:
    """Give the value that belongs in an argument. Payloads name this function: it must stay where it is."""
    if _here.values is None:
        raise TaskQueueError(
            f"the call needs the value of task {task_id}; only a worker can fill it in", task_id=task_id
        )
    return _here.values[task_id]


class Values:
    """The values of the tasks that a call needs, each loaded once.

    Args:
        results: what they came to.
        loads: makes a value of bytes.
    """

    def __init__(self, results: Mapping[str, Result], loads: Callable[[bytes], Any]) -> None:
        self._results = results
        self._loads = loads
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, task_id: str) -> Any:
        """Give a value; the error, as an exception, of a task that failed and that the call wants to run after all.

        Raises:
            TaskQueueError: the task is gone, or runs again.
        """
        if task_id not in self._loaded:
            self._loaded[task_id] = self._load(task_id)
        return self._loaded[task_id]

    def _load(self, task_id: str) -> Any:
        result = self._results.get(task_id)
        if result is None or not result.status.is_final:
            became = "was deleted" if result is None else f"is {result.status} again"
            raise TaskQueueError(f"the call needs the value of task {task_id}, which {became}", task_id=task_id)
        if result.status is TaskStatus.SUCCESS and result.value is not None:
            return self._loads(result.value)
        return execution_error(
            result.error or f"the task was {result.status}", traceback=result.traceback, task_id=task_id
        )
