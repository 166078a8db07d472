"""The errors: their tree as it is drawn, and what each one carries."""

import builtins
import inspect
import pickle
import traceback

import pytest

from sitq import exceptions
from sitq.exceptions import BackendError, SitqError, TaskExecutionError

ERRORS = [
    error for _, error in inspect.getmembers(exceptions, inspect.isclass) if error.__module__ == exceptions.__name__
]


@pytest.mark.parametrize("error", ERRORS)
def test_every_error_is_a_sitq_error(error: type[SitqError]) -> None:
    assert issubclass(error, SitqError)


@pytest.mark.parametrize("error", ERRORS)
def test_every_error_stands_in_the_tree_at_the_top_of_the_module(error: type[SitqError]) -> None:
    assert exceptions.__doc__ is not None
    assert error.__name__ in exceptions.__doc__


@pytest.mark.parametrize(
    ("error", "parent"),
    [
        (exceptions.ValidationError, ValueError),
        (exceptions.TimeoutError, builtins.TimeoutError),
        (exceptions.TimeoutError, exceptions.TaskQueueError),
        (exceptions.SyncTaskQueueError, RuntimeError),
        (exceptions.SyncTaskQueueError, exceptions.TaskQueueError),
        (exceptions.ConnectionError, builtins.ConnectionError),
        (exceptions.ConnectionError, exceptions.BackendError),
        (exceptions.TaskExecutionError, exceptions.WorkerError),
        (exceptions.TaskTimeoutError, exceptions.TaskExecutionError),
        (exceptions.TaskLostError, exceptions.TaskExecutionError),
        (exceptions.TaskCancelledError, exceptions.TaskExecutionError),
    ],
)
def test_error_is_caught_as_its_parent(error: type[SitqError], parent: type[Exception]) -> None:
    with pytest.raises(parent):
        raise error("no")


@pytest.mark.parametrize("error", ERRORS)
def test_error_keeps_message_cause_and_context(error: type[SitqError]) -> None:
    cause = OSError("disk")

    raised = error("it failed", cause=cause, task_id="a")

    assert (str(raised), raised.message) == ("it failed", "it failed")
    assert raised.cause is cause
    assert raised.context == {"task_id": "a"}


def test_cause_is_what_raise_from_says() -> None:
    with pytest.raises(BackendError) as caught:
        try:
            raise OSError("disk")
        except OSError as exc:
            raise BackendError("it failed") from exc

    assert isinstance(caught.value.cause, OSError)


def test_error_without_a_cause_has_none() -> None:
    assert (SitqError("no").cause, SitqError("no").context) == (None, {})


@pytest.mark.parametrize("error", ERRORS)
def test_error_travels_between_processes(error: type[SitqError]) -> None:
    arrived = pickle.loads(pickle.dumps(error("it failed", task_id="a")))

    assert (type(arrived), str(arrived), arrived.context) == (error, "it failed", {"task_id": "a"})


def test_execution_error_shows_where_the_task_ran() -> None:
    error = TaskExecutionError("ValueError: no", traceback="Traceback: line 7\nValueError: no\n")

    shown = "".join(traceback.format_exception(error))

    assert error.traceback == "Traceback: line 7\nValueError: no\n"
    assert "Where the task ran:\nTraceback: line 7" in shown


def test_execution_error_without_a_traceback_shows_none() -> None:
    assert not hasattr(TaskExecutionError("no"), "__notes__")
