"""`start_worker`: one live worker for each store, however often a cell is run."""

import os
import threading
from pathlib import Path

import pytest

from sitq import ValidationError
from sitq.exceptions import ConnectionError
from sitq.notebook import BackgroundWorker, start_worker


def sitq_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("sitq-")}


def test_starting_again_gives_the_same_worker_and_says_nothing(
    worker: BackgroundWorker, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    worker.submit(len, "").result(timeout=5)  # by now all its threads have begun
    threads = sitq_threads()

    assert start_worker(path) is worker
    assert start_worker(str(path), concurrency=4) is worker
    assert sitq_threads() - threads == set()
    assert capsys.readouterr().out == ""


def test_store_is_the_same_by_any_name(worker: BackgroundWorker, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = path.with_name("link.db")
    link.symlink_to(path)
    monkeypatch.chdir(path.parent)

    assert start_worker(path.name) is worker
    assert start_worker(os.path.join(".", path.name)) is worker
    assert start_worker(link) is worker


def test_worker_stays_on_its_file_when_the_folder_changes(
    path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    with start_worker(path.name) as worker:
        monkeypatch.chdir(elsewhere := tmp_path_factory.mktemp("elsewhere"))

        assert worker.submit(sum, [1, 2]).result(timeout=5) == 3
    assert worker.tasks()[0].status == "success"
    assert list(elsewhere.iterdir()) == []
    worker.stop()


def test_other_concurrency_starts_anew_and_says_so(
    worker: BackgroundWorker, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = worker.submit(sum, [1, 2])

    again = start_worker(path, concurrency=2)

    (line,) = capsys.readouterr().out.splitlines()
    assert "concurrency 2 instead of thread, concurrency 4" in line
    assert again is worker
    assert "concurrency 2" in repr(again)
    assert before.result(timeout=5) == 3


def test_concurrency_that_cannot_be_leaves_the_worker_as_it_is(worker: BackgroundWorker, path: Path) -> None:
    with pytest.raises(ValidationError, match="1 or more, got 0"):
        start_worker(path, concurrency=0)

    assert worker.submit(sum, [1, 2]).result(timeout=5) == 3


def test_file_that_cannot_be_opened_is_refused_and_leaves_no_thread(tmp_path: Path) -> None:
    before = sitq_threads()

    with pytest.raises(ConnectionError, match="does not exist"):
        start_worker(tmp_path / "missing" / "jobs.db")

    assert sitq_threads() <= before


def test_worker_works_on_a_store_in_memory() -> None:
    with start_worker(":memory:") as worker:
        assert worker.submit(sum, [1, 2]).result(timeout=5) == 3


async def test_worker_starts_inside_a_running_loop(path: Path) -> None:
    with start_worker(path) as worker:
        assert await worker.submit(sum, [1, 2]) == 3


def test_all_threads_are_daemons(worker: BackgroundWorker) -> None:
    worker.submit(sum, [1, 2]).result(timeout=5)

    assert {"sitq-client", "sitq-worker"} <= {thread.name for thread in sitq_threads()}
    assert all(thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread())
