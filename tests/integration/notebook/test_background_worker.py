"""The worker that a notebook starts: what it takes, what it lists, and how it ends."""

import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from patience import until

from sitq import SerializationError, TaskQueueError, ValidationError
from sitq.exceptions import TimeoutError, WorkerError
from sitq.notebook import BackgroundWorker, start_worker


async def double(x: int) -> int:
    return 2 * x


def block_its_loop() -> object:
    async def block() -> None:
        time.sleep(3)

    return block()


def touch_and_sleep(begun: Path) -> None:
    begun.touch()
    time.sleep(0.3)


def test_submit_passes_arguments_and_keeps_the_name(worker: BackgroundWorker) -> None:
    handle = worker.submit(dict, [("a", 1)], b=2, name="pairs")

    assert handle.result(timeout=5) == {"a": 1, "b": 2}
    info = handle.info()
    assert info is not None
    assert info.name == "pairs"


def test_submit_leaves_a_task_until_its_eta(worker: BackgroundWorker) -> None:
    handle = worker.submit(double, 1, eta=datetime.now(UTC) + timedelta(hours=1))

    assert "scheduled in 59 min" in repr(handle)


def test_submit_refuses_what_cannot_be_called(worker: BackgroundWorker) -> None:
    with pytest.raises(ValidationError, match="callable, got int 3"):
        worker.submit(3)  # type: ignore[call-overload]  # that it is none is the point

    assert worker.tasks() == []


def test_submit_names_what_cannot_travel_and_stores_nothing(worker: BackgroundWorker) -> None:
    lock = threading.Lock()

    with pytest.raises(SerializationError, match="lock"):
        worker.submit(lambda: lock)

    assert worker.tasks() == []


def test_handle_as_an_argument_stands_for_its_value(worker: BackgroundWorker) -> None:
    handles = worker.map(double, range(3))

    assert worker.submit(sum, handles).result(timeout=5) == 6


def test_submit_after_others_waits_for_them(worker: BackgroundWorker) -> None:
    slow = worker.submit(time.sleep, 0.2)
    last = worker.submit(time.monotonic, after=slow)

    assert "blocked" in repr(last)
    assert last.result(timeout=5) > 0
    assert slow.status == "success"


def test_submit_says_what_becomes_of_it_when_a_needed_task_fails(worker: BackgroundWorker) -> None:
    broken = worker.submit(lambda: 1 / 0)

    lost = worker.submit(double, 1, after=[broken])
    kept = worker.submit(double, 1, after=[broken], on_failure="run")

    worker.join(timeout=5)
    assert [lost.status, kept.status] == ["cancelled", "success"]


def test_options_of_a_view_reach_the_store_and_leave_all_keywords_to_the_function(worker: BackgroundWorker) -> None:
    view = worker.options(queue="gpu", priority=1).options(priority=7, tags=["night"])

    handle = view.submit(dict, name="mine", after="lunch")
    (other,) = view.map(double, [2])

    assert (handle.result(timeout=5), other.result(timeout=5)) == ({"name": "mine", "after": "lunch"}, 4)
    infos = [handle.info(), other.info()]
    assert {(info.queue, info.priority, info.tags) for info in infos if info} == {("gpu", 7, ("night",))}


def test_option_that_there_is_not_is_refused_with_the_likely_one(worker: BackgroundWorker) -> None:
    with pytest.raises(ValidationError, match="did you mean 'priority'"):
        worker.options(prioritty=1)
    with pytest.raises(ValidationError, match="on_failure must be"):
        worker.submit(double, 1, on_failure="explode")

    assert worker.tasks() == []


def test_stopped_worker_takes_nothing_through_a_view(worker: BackgroundWorker) -> None:
    view = worker.options(priority=1)
    worker.stop()

    with pytest.raises(WorkerError, match="stopped"):
        view.map(double, [1])


def test_map_stores_a_task_for_each_set_of_arguments(worker: BackgroundWorker) -> None:
    handles = worker.map(pow, [2, 3], [5, 2], name="power")

    worker.join(timeout=5)
    assert [handle.result() for handle in handles] == [32, 9]
    assert [line.partition(":")[0].split()[-1] for line in repr(handles).splitlines()] == ["power", "power"]


def test_tasks_are_listed_newest_first_and_by_status(worker: BackgroundWorker) -> None:
    first, second = worker.submit(double, 1), worker.submit(double, 2)
    worker.join(timeout=5)

    assert worker.tasks() == [second, first]
    assert worker.tasks(limit=1) == [second]
    assert worker.tasks(status="failed") == []


def test_tasks_refuses_a_status_that_there_is_not(worker: BackgroundWorker) -> None:
    with pytest.raises(ValidationError, match=r"status must be one of pending, .*, got 'done'"):
        worker.tasks(status="done")


def test_task_is_found_by_id_and_the_newest_by_name(worker: BackgroundWorker) -> None:
    first, second = worker.submit(double, 1, name="train"), worker.submit(double, 2, name="train")

    assert worker.get(str(first)).result(timeout=5) == 2
    assert worker["train"] == worker["tr*"] == second


def test_unknown_task_is_an_error(worker: BackgroundWorker) -> None:
    with pytest.raises(TaskQueueError, match="no task nowhere"):
        worker.get("nowhere")
    with pytest.raises(KeyError, match="no task named 'nothing'"):
        worker["nothing"]


async def test_drain_waits_for_all_tasks(worker: BackgroundWorker) -> None:
    handles = worker.map(time.sleep, [0.01] * 10)

    await worker.drain()

    assert {handle.status for handle in handles} == {"success"}


def test_join_in_vain_tells_what_is_left(worker: BackgroundWorker) -> None:
    worker.submit(double, 1, eta=datetime.now(UTC) + timedelta(hours=1))

    with pytest.raises(TimeoutError, match="1 pending and 0 running"):
        worker.join(timeout=0.1)


def test_stop_gives_back_what_has_not_ended(worker: BackgroundWorker) -> None:
    handles = worker.map(time.sleep, [0.5] * 10)
    until(lambda: handles[0].status == "running")

    worker.stop(grace=0)
    worker.stop()

    infos = [handle.info() for handle in handles]
    assert {(info.status, info.crashes) for info in infos if info is not None} == {("pending", 0)}


def test_stop_gives_running_tasks_time_to_end(worker: BackgroundWorker, tmp_path: Path) -> None:
    handle = worker.submit(touch_and_sleep, tmp_path / "begun")
    until((tmp_path / "begun").exists)  # a task is running from its claim on, and one that has not begun is given back

    worker.stop()

    assert handle.status == "success"


def test_stop_waits_for_no_task_that_blocks_the_loop(worker: BackgroundWorker) -> None:
    handle = worker.submit(block_its_loop)
    until(lambda: handle.status == "running")

    begun = time.monotonic()
    worker.stop(grace=0)

    assert time.monotonic() - begun < 2.5
    assert handle.status == "pending"


def test_stopped_worker_takes_nothing_and_starts_again(worker: BackgroundWorker, path: Path) -> None:
    worker.stop()

    with pytest.raises(WorkerError, match="stopped"):
        worker.submit(double, 1)

    assert start_worker(path) is worker
    assert worker.submit(double, 1).result(timeout=5) == 2


def test_worker_whose_file_was_deleted_says_so_and_starts_again(
    worker: BackgroundWorker, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    worker.submit(double, 1).result(timeout=5)
    for file in path.parent.glob("tasks.db*"):
        file.unlink()
    until(lambda: not worker.running)

    with pytest.raises(WorkerError, match="deleted"):
        worker.submit(double, 1)
    start_worker(path)

    assert "deleted" in capsys.readouterr().out
    assert worker.submit(double, 1).result(timeout=5) == 2


def test_worker_shows_what_lies_in_its_store(worker: BackgroundWorker, path: Path) -> None:
    worker.submit(double, 1).result(timeout=5)

    assert repr(worker) == f"<BackgroundWorker on {path}: running, concurrency 4, 1 success>"
    assert "1 success" in worker._repr_html_()
    worker.stop()
    assert repr(worker) == f"<BackgroundWorker on {path}: stopped>"
