"""The command `sitq`, as a person types it."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sitq import SyncTaskQueue
from sitq.cli import main


def divide(a: int, b: int) -> float:
    return a / b


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sitq", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, cwd=cwd)


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(tmp_path / "tasks.db")


def test_worker_runs_until_empty_and_says_so(store: str) -> None:
    with SyncTaskQueue(store) as queue:
        task_id = queue.enqueue(lambda: 6 * 7)

        done = run("worker", store, "--burst")

        assert done.returncode == 0, done.stderr
        assert f"{task_id} attempt 1 ended: success" in done.stderr
        assert queue.get_result(task_id, timeout=0) == 42


def test_worker_ends_well_on_sigterm(store: str) -> None:
    with SyncTaskQueue(store) as queue:
        worker = subprocess.Popen([sys.executable, "-m", "sitq", "worker", store, "--quiet"], stderr=subprocess.PIPE)
        assert queue.get_result(queue.enqueue(lambda: 1), timeout=10) == 1

        worker.send_signal(signal.SIGTERM)

        assert worker.communicate(timeout=10)[1] == b""
        assert worker.returncode == 0


def test_worker_imports_functions_from_the_current_folder(store: str, tmp_path: Path) -> None:
    (tmp_path / "my_jobs.py").write_text("def double(x):\n    return 2 * x\n")
    enqueue = f"import my_jobs, sitq\nwith sitq.SyncTaskQueue({store!r}) as q: print(q.enqueue(my_jobs.double, 21))"
    command = [sys.executable, "-c", enqueue]
    task_id = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True).stdout.strip()

    assert run("worker", store, "--burst", "--quiet", cwd=tmp_path).stderr == ""

    with SyncTaskQueue(store) as queue:
        assert queue.get_result(task_id, timeout=0) == 42


def test_show_gives_the_traceback(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    with SyncTaskQueue(store) as queue:
        task_id = queue.enqueue(divide, 1, 0)
    main(["worker", store, "--burst", "--quiet"])

    assert main(["show", store, task_id]) == 0

    out = capsys.readouterr().out
    assert "ZeroDivisionError: division by zero" in out
    assert "return a / b" in out


def test_list_as_json_is_one_object_a_line(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    with SyncTaskQueue(store) as queue:
        ids = [queue.enqueue(divide, 1, n) for n in (1, 2)]

    main(["list", store, "--json", "--status", "pending"])

    assert [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()] == ids[::-1]


def test_cancel_requeue_and_delete_say_what_was_reached(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    with SyncTaskQueue(store) as queue:
        task_id = queue.enqueue(divide, 1, 1)

    codes = [main([verb, store, task_id]) for verb in ("cancel", "requeue", "delete", "delete")]

    assert codes == [0, 0, 0, 1]
    assert capsys.readouterr().out.splitlines()[-1] == f"{task_id} not reached"


def test_paused_lane_is_shown_as_paused(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    with SyncTaskQueue(store) as queue:
        queue.enqueue(divide, 1, 1)

    main(["pause", store, "default"])
    main(["stats", store])

    assert capsys.readouterr().out.splitlines()[1].split() == ["default", "1", "0", "0", "0", "0", "0", "paused"]


def test_purge_tells_how_many(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    with SyncTaskQueue(store) as queue:
        queue.cancel(queue.enqueue(divide, 1, 1))

    main(["purge", store, "--older-than", "0"])

    assert capsys.readouterr().out == "1 removed\n"


def test_missing_store_is_one_line_and_is_not_made(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stats", store]) == 2

    assert capsys.readouterr().err == f"sitq: {store} does not exist; a queue or a worker makes it\n"
    assert not Path(store).exists()


def test_names_cannot_steer_the_terminal(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    with SyncTaskQueue(store) as queue:
        queue.options(name="evil\x1b]52;c;UFdORUQ=\x07\x9b2J\u202e").enqueue(divide, 1, 1)

    main(["list", store])

    out = capsys.readouterr().out
    assert all(line.isprintable() for line in out.splitlines())
    assert "evil␛]52" in out


def test_looking_loads_nothing_that_unpickles(store: str) -> None:
    with SyncTaskQueue(store):
        pass
    code = f"import sys; from sitq.cli import main; main(['stats', {store!r}]); print('cloudpickle' in sys.modules)"

    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30).stdout

    assert out.splitlines()[-1] == "False"
