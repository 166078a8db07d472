"""Many tasks as one bar: it reaches its end whatever becomes of them, and never looks at all of them at once."""

from pathlib import Path

import pytest
from patience import until

from sitq import SyncTaskQueue
from sitq.notebook import BackgroundWorker
from sitq.notebook.display import Glance
from sitq.notebook.handle import LiveHandles


def fail_on_odd(number: int) -> None:
    if number % 2:
        raise ValueError(number)


def last_look(handles: "LiveHandles[object]") -> Glance:
    """Look until all is done."""
    group = handles.as_group()
    glances: list[Glance | None] = []
    until(lambda: glances.append(group.look(3)) or (glances[-1] is not None and glances[-1].done == 1.0), timeout=20)
    assert glances[-1] is not None
    return glances[-1]


@pytest.mark.parametrize("count", [30, 3000])
def test_group_counts_what_failed_and_shows_it_first(worker: BackgroundWorker, count: int) -> None:
    glance = last_look(worker.map(fail_on_odd, range(count)))

    assert glance.headline == f"{count:,} of {count:,} done, {count // 2:,} failed"
    assert [info.status for info in glance.tasks] == ["failed"] * 3


def test_group_of_ten_thousand_open_tasks_answers_within_a_glance(worker: BackgroundWorker, path: Path) -> None:
    with SyncTaskQueue(path) as queue:
        queue.pause("default")
    group = worker.map(fail_on_odd, [0] * 10_000).as_group()

    glances = [group.look(0) for _ in range(10)]

    assert "0 of 10,000 done" in {glance.headline for glance in glances if glance is not None}


def test_group_leaves_deleted_tasks_out(worker: BackgroundWorker, path: Path) -> None:
    handles = worker.map(fail_on_odd, [0] * 10)
    worker.join(timeout=5)
    with SyncTaskQueue(path) as queue:
        queue.delete(handles[:4])

    assert last_look(handles).headline == "6 of 6 done"


def test_group_notices_what_was_requeued(worker: BackgroundWorker, path: Path) -> None:
    handles = worker.map(fail_on_odd, [1] * 3)
    group = handles.as_group()
    worker.join(timeout=5)
    group.look(3)
    with SyncTaskQueue(path) as queue:
        queue.pause("default")
        queue.requeue(handles[0])

    glance = group.look(3)

    assert glance is not None
    assert glance.headline.startswith("2 of 3 done, 2 failed")
