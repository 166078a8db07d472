"""The blocking queue does what the queue does: every method of it."""

import inspect
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from workers import drain

from sitq.core import TaskStatus
from sitq.exceptions import SerializationError, TaskCancelledError, TaskExecutionError, ValidationError
from sitq.inputs import TaskId
from sitq.producer.bound import BoundQueue
from sitq.queue import TaskQueue
from sitq.sync import SyncBoundQueue, SyncTaskQueue
from sitq.views import TaskQuery


def fail() -> None:
    raise ValueError("no")


def public_methods(kind: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")}


def test_every_method_of_the_queue_is_there() -> None:
    assert public_methods(TaskQueue) - public_methods(SyncTaskQueue) <= {"handle"}


def test_every_method_of_a_view_is_there() -> None:
    assert public_methods(BoundQueue) <= public_methods(SyncBoundQueue)


def test_methods_take_the_same_arguments() -> None:
    for name in public_methods(SyncTaskQueue) & public_methods(TaskQueue):
        own, other = (list(inspect.signature(getattr(kind, name)).parameters) for kind in (SyncTaskQueue, TaskQueue))
        assert own in (other, ["ids" if word == "handles" else word for word in other]), name


def test_enqueue_gives_an_id_that_is_a_string(queue: SyncTaskQueue) -> None:
    task = queue.enqueue(abs, 1)

    assert (type(task), type(str(task))) == (TaskId, str)
    assert queue.list_tasks()[0].id == task


def test_get_result_gives_the_value(queue: SyncTaskQueue, worker: None) -> None:
    assert queue.get_result(queue.enqueue(pow, 2, exp=10)) == 1024


def test_get_result_waits(queue: SyncTaskQueue, worker: None) -> None:
    assert queue.get_result(queue.enqueue(time.sleep, 0.2)) is None
    assert queue.get_result(queue.enqueue(abs, -1)) == 1


def test_get_result_gives_none_when_the_time_is_up(queue: SyncTaskQueue) -> None:
    begun = time.monotonic()

    assert queue.get_result(queue.enqueue(abs, 1), timeout=0.1) is None
    assert 0.1 <= time.monotonic() - begun < 2.0


def test_get_result_gives_none_for_an_unknown_id(queue: SyncTaskQueue) -> None:
    assert queue.get_result("unknown") is None


def test_get_result_of_what_ended_needs_no_time(path: Path, queue: SyncTaskQueue) -> None:
    task = queue.enqueue(abs, -1)
    drain(path)

    assert queue.get_result(task, timeout=0) == 1


def test_get_result_raises_what_failed_with_its_traceback(path: Path, queue: SyncTaskQueue) -> None:
    task = queue.enqueue(fail)
    drain(path)

    with pytest.raises(TaskExecutionError, match="ValueError: no") as caught:
        queue.get_result(task)
    assert "in fail" in caught.value.__notes__[0]


def test_get_result_raises_what_was_cancelled(queue: SyncTaskQueue) -> None:
    task = queue.enqueue(abs, 1)
    queue.cancel(task)

    with pytest.raises(TaskCancelledError):
        queue.get_result(task)


def test_get_full_result_tells_all(path: Path, queue: SyncTaskQueue) -> None:
    task = queue.enqueue(abs, -1)
    drain(path)

    result = queue.get_full_result(task)

    assert result is not None
    assert (result.status, result.attempt) == (TaskStatus.SUCCESS, 1)
    assert queue.deserialize_result(result) == 1


def test_eta_is_kept(queue: SyncTaskQueue) -> None:
    eta = datetime(2030, 1, 1, tzinfo=UTC)

    info = queue.get_task(queue.enqueue(abs, 1, eta=eta))

    assert info is not None
    assert info.due_at == eta


def test_many_are_stored_in_order(path: Path, queue: SyncTaskQueue) -> None:
    tasks = queue.enqueue_many(pow, [(2, exponent) for exponent in range(5)])
    drain(path)

    assert {type(task) for task in tasks} == {TaskId}
    assert [queue.get_result(task) for task in tasks] == [1, 2, 4, 8, 16]


def test_map_takes_iterables_side_by_side(path: Path, queue: SyncTaskQueue) -> None:
    tasks = queue.map(pow, [2, 3], [3, 2])
    drain(path)

    assert [queue.get_result(task) for task in tasks] == [8, 9]


def test_as_completed_gives_ids_as_their_tasks_end(queue: SyncTaskQueue, worker: None) -> None:
    slow, fast = queue.map(time.sleep, [0.4, 0.0])

    assert list(queue.as_completed([slow, fast])) == [fast, slow]


def test_as_completed_of_none_ends(queue: SyncTaskQueue) -> None:
    assert list(queue.as_completed([])) == []


def test_options_reach_the_store(queue: SyncTaskQueue) -> None:
    info = queue.get_task(queue.options(queue="mail", priority=3).enqueue(abs, 1))

    assert info is not None
    assert (info.queue, info.priority) == ("mail", 3)


def test_options_hold_for_many(queue: SyncTaskQueue) -> None:
    queue.options(queue="mail").enqueue_many(abs, [(1,), (2,)])

    assert len(queue.list_tasks(TaskQuery(queue="mail"))) == 2


def test_options_hold_for_map(queue: SyncTaskQueue) -> None:
    bound: Any = queue.options(queue="mail")

    bound.map(abs, [1, 2])

    assert len(queue.list_tasks(TaskQuery(queue="mail"))) == 2


def test_view_of_a_view_changes_only_what_is_named(queue: SyncTaskQueue) -> None:
    bound: Any = queue.options(queue="mail")

    info = queue.get_task(bound.options(priority=2).enqueue(abs, 1))

    assert info is not None
    assert (info.queue, info.priority) == ("mail", 2)


def test_people_act_on_tasks(path: Path, queue: SyncTaskQueue) -> None:
    task = queue.enqueue(fail)
    drain(path)

    assert queue.requeue(task) == {task}
    assert queue.cancel([task]) == {task}
    assert queue.delete(task) == {task}
    assert queue.get_task(task) is None


def test_scheduled_task_can_be_run_now(path: Path, queue: SyncTaskQueue) -> None:
    task = queue.options(delay=3600.0).enqueue(abs, -7)

    assert queue.run_now(task) == {task}
    drain(path)

    assert queue.get_result(task) == 7


def test_attempts_and_stats_are_told(path: Path, queue: SyncTaskQueue) -> None:
    task = queue.enqueue(fail)
    drain(path)

    assert [attempt.error for attempt in queue.attempts(task)] == ["ValueError: no"]
    assert queue.stats().count(TaskStatus.FAILED) == 1


def test_purge_removes_what_ended(path: Path, queue: SyncTaskQueue) -> None:
    queue.map(abs, range(3))
    drain(path)

    assert queue.purge(older_than=0.0) == 3


def test_paused_lane_keeps_its_tasks(path: Path, queue: SyncTaskQueue) -> None:
    queue.pause("default")
    task = queue.enqueue(abs, -1)
    drain(path)
    assert queue.get_result(task, timeout=0) is None

    queue.resume("default")
    drain(path)

    assert queue.get_result(task) == 1


def test_schedules_are_made_and_acted_on(path: Path, queue: SyncTaskQueue) -> None:
    schedule = queue.schedule(pow, 2, exp=5, name="power", every=60.0)
    assert queue.schedules() == [schedule]
    task = queue.run_schedule_now("power")
    drain(path)

    assert queue.get_result(task) == 32
    assert queue.pause_schedule("power") and queue.resume_schedule("power") and queue.unschedule("power")
    assert not queue.unschedule("power")


def test_options_hold_for_a_schedule(queue: SyncTaskQueue) -> None:
    assert queue.options(queue="mail").schedule(abs, -1, cron="0 8 * * *").queue == "mail"


def test_errors_of_the_door_arrive_as_they_are(queue: SyncTaskQueue) -> None:
    with pytest.raises(ValidationError, match="a task must be callable"):
        queue.enqueue(None)  # type: ignore[arg-type]
    with pytest.raises(SerializationError):
        queue.enqueue(abs, (number for number in range(3)))


def test_queue_names_its_store(queue: SyncTaskQueue, path: Path) -> None:
    assert repr(queue) == f"SyncTaskQueue(SQLiteBackend('{path}'))"
