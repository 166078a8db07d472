"""The records: ids that sort by time, phases of a task, and counts over all lanes."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sitq.core import FINAL, Task, TaskStatus, new_task_id
from sitq.views import QueueStats, Stats, TaskInfo

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def info() -> TaskInfo:
    return TaskInfo(
        id="a",
        name="greet",
        queue="default",
        status=TaskStatus.PENDING,
        priority=0,
        attempt=0,
        max_attempts=1,
        failures=0,
        crashes=0,
        enqueued_at=NOW,
        due_at=NOW,
    )


def test_new_task_ids_sort_in_the_order_in_which_they_were_made() -> None:
    ids = [new_task_id() for _ in range(10_000)]

    assert ids == sorted(ids)
    assert len(set(ids)) == 10_000


def test_new_task_ids_differ_between_threads() -> None:
    with ThreadPoolExecutor(4) as pool:
        batches = list(pool.map(lambda _: [new_task_id() for _ in range(2000)], range(4)))

    assert len({task_id for batch in batches for task_id in batch}) == 8000


def test_new_task_id_has_28_hex_digits_and_the_time() -> None:
    task_id = new_task_id()

    made_at = datetime.fromtimestamp(int(task_id[:12], 16) / 1000, UTC)
    assert len(task_id) == 28
    assert int(task_id, 16) > 0
    assert abs(datetime.now(UTC) - made_at) < timedelta(seconds=5)


def test_task_cannot_be_changed() -> None:
    task = Task(id="a", name="greet", payload=b"")

    with pytest.raises(AttributeError):
        task.name = "other"  # type: ignore[misc]  # that it is refused is the point


@pytest.mark.parametrize("status", list(TaskStatus))
def test_status_is_final_when_nothing_follows_it(status: TaskStatus) -> None:
    assert status.is_final == (status in FINAL) == (status.value in {"success", "failed", "cancelled"})


@pytest.mark.parametrize(
    ("change", "phase"),
    [
        (lambda info: info, "pending"),
        (lambda info: replace(info, due_at=NOW + timedelta(seconds=1)), "scheduled"),
        (lambda info: replace(info, attempt=1, failures=1, due_at=NOW + timedelta(seconds=1)), "retrying"),
        (lambda info: replace(info, attempt=1, crashes=1), "retrying"),
        (lambda info: replace(info, attempt=1), "pending"),
        (lambda info: replace(info, waits_for="Python 3.12"), "blocked"),
        (lambda info: replace(info, status=TaskStatus.RUNNING), "running"),
        (lambda info: replace(info, status=TaskStatus.RUNNING, stalled=True), "stalled"),
        (lambda info: replace(info, status=TaskStatus.SUCCESS, attempt=2), "success"),
        (lambda info: replace(info, status=TaskStatus.FAILED), "failed"),
        (lambda info: replace(info, status=TaskStatus.CANCELLED), "cancelled"),
    ],
)
def test_phase_names_the_status_more_finely(info: TaskInfo, change: Callable[[TaskInfo], TaskInfo], phase: str) -> None:
    assert change(info).phase(NOW) == phase


@pytest.mark.parametrize(
    ("status", "total"), [(TaskStatus.PENDING, 5), (TaskStatus.FAILED, 4), (TaskStatus.SUCCESS, 0)]
)
def test_count_adds_one_status_up_over_all_lanes(status: TaskStatus, total: int) -> None:
    stats = Stats(queues=(QueueStats(queue="a", pending=2, failed=4), QueueStats(queue="b", pending=3, scheduled=1)))

    assert stats.count(status) == total
