"""What each command of `sitq` does, and how it ends when it cannot."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from sitq import SyncTaskQueue
from sitq.cli import main
from sitq.testing import run_until_empty_sync


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(tmp_path / "tasks.db")


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a module of functions, in which the commands run."""
    (tmp_path / "cli_jobs.py").write_text(
        "import time\n"
        "def add(a, b=0): print('adding'); return a + b\n"
        "def fail(): raise ValueError('no luck')\n"
        "def nap(): time.sleep(60)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def sitq(*arguments: str, cwd: Path | None = None, **options: Any) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "sitq", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, cwd=cwd, **options)


def enqueue_failures(store: str, count: int) -> list[str]:
    def fail() -> None:
        raise ValueError("no luck")

    with SyncTaskQueue(store) as queue:
        ids = [queue.options(name=f"fail-{number}").enqueue(fail) for number in range(count)]
        run_until_empty_sync(queue)
    return [str(task_id) for task_id in ids]


def test_enqueue_takes_json_and_words(store: str, jobs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["enqueue", store, "cli_jobs:add", "[1]", "--kwargs", '{"b": [2]}', "--tag", "x", "--queue", "q"]) == 0
    assert main(["enqueue", store, "cli_jobs:add", "word", "--kwargs", '{"b": "s"}']) == 0
    ids = capsys.readouterr().out.split()

    with SyncTaskQueue(store) as queue:
        run_until_empty_sync(queue)
        assert [queue.get_result(task_id) for task_id in ids] == [[1, 2], "words"]
        info = queue.get_task(ids[0])
    assert info is not None and (info.queue, info.tags) == ("q", ("x",))


def test_enqueue_waits_for_the_value(store: str, jobs: Path) -> None:
    worker = subprocess.Popen([sys.executable, "-m", "sitq", "worker", store, "--quiet"], cwd=jobs)

    ran = sitq("enqueue", store, "cli_jobs:add", "1", "--kwargs", '{"b": 2}', "--wait", cwd=jobs)

    worker.terminate()
    assert worker.wait(10) == 0
    assert (ran.stdout.splitlines()[1], ran.returncode) == ("3", 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cli_jobs:nothing"], "nothing"),
        (["nowhere:add"], "nowhere"),
        (["cli_jobs:add", "--kwargs", "[1]"], "must be a JSON object such as"),
        (["cli_jobs:add", "--kwargs", "{"], "must be a JSON object such as"),
        (["cli_jobs:add", "--delay", "-1"], "delay must be 0 seconds or more"),
    ],
)
def test_enqueue_refuses_what_cannot_be(
    store: str, jobs: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["enqueue", store, *arguments]) == 2

    assert message in capsys.readouterr().err


def test_logs_prints_what_a_task_wrote(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    def speak() -> None:
        print("spoken \x1b[31m")
        print("cried", file=sys.stderr)

    with SyncTaskQueue(store) as queue:
        task_id = queue.enqueue(speak)
        run_until_empty_sync(queue)
    capsys.readouterr()

    assert main(["logs", store, task_id]) == 0

    assert capsys.readouterr() == ("spoken ␛[31m\n", "cried\n")


def test_logs_follows_until_the_end(store: str, tmp_path: Path) -> None:
    def speak() -> None:
        for number in range(3):
            print("step", number, flush=True)
            time.sleep(0.2)

    with SyncTaskQueue(store) as queue:
        task_id = queue.enqueue(speak)
        following = subprocess.Popen(
            [sys.executable, "-m", "sitq", "logs", "-f", store, task_id], stdout=subprocess.PIPE, text=True
        )
        run_until_empty_sync(queue)

    out, _ = following.communicate(timeout=10)
    assert out == "step 0\nstep 1\nstep 2\n"


@pytest.mark.parametrize("command", ["show", "logs"])
def test_unknown_id_is_one_line(store: str, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with SyncTaskQueue(store):
        pass

    assert main([command, store, "nix"]) == 1

    assert capsys.readouterr().err == "sitq: there is no task nix; give a whole id, as sitq list prints it\n"


def test_filters_act_on_all_that_match(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    enqueue_failures(store, 3)

    assert main(["retry", store, "--status", "failed", "--name", "fail-[01]*", "--yes"]) == 1
    assert main(["retry", store, "--status", "failed", "--name", "fail-*", "--yes"]) == 0

    assert capsys.readouterr().out.splitlines() == ["requeue: 0 of 0 tasks", "requeue: 3 of 3 tasks"]


def test_run_now_reaches_what_waits_for_its_moment(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    with SyncTaskQueue(store) as queue:
        later = queue.options(delay=3600.0, name="later").enqueue(abs, 1)
        queue.enqueue(abs, 2)

    assert main(["run-now", store, "--queue", "default", "--yes"]) == 0
    assert main(["run-now", store, later]) == 1

    assert capsys.readouterr().out.splitlines() == ["run-now: 1 of 1 tasks", f"{later} not reached"]


def test_filters_do_nothing_where_nobody_can_be_asked(store: str) -> None:
    enqueue_failures(store, 3)

    ran = sitq("rm", store, "--status", "failed", stdin=subprocess.DEVNULL)

    assert ran.returncode == 2
    assert "delete would reach 3 tasks, and nobody is here to ask; say --yes" in ran.stderr
    with SyncTaskQueue(store) as queue:
        assert len(queue.list_tasks()) == 3


def test_ids_may_come_from_stdin(
    store: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = enqueue_failures(store, 2)
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(ids)))

    assert main(["delete", store, "-", "--json"]) == 0

    assert json.loads(capsys.readouterr().out) == {"command": "delete", "reached": sorted(ids), "not_reached": []}


@pytest.mark.parametrize("arguments", [[], ["id", "--status", "failed"]])
def test_acting_needs_ids_or_filters_and_not_both(
    store: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with SyncTaskQueue(store):
        pass

    assert main(["cancel", store, *arguments]) == 2

    assert "give ids, - for ids from stdin, or filters such as --status failed" in capsys.readouterr().err


def test_export_prints_all_tasks_as_json(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    with SyncTaskQueue(store) as queue:
        ids = queue.map(len, ["a"] * 1200)

    assert main(["export", store]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["id"] for line in lines] == ids[::-1]


def test_doctor_finds_nothing_wrong_with_a_store_in_use(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    enqueue_failures(store, 1)

    assert main(["doctor", store, "--deep"]) == 0

    out = capsys.readouterr().out
    assert "WRONG" not in out
    assert "integrity    ok" in out


def test_doctor_says_that_nobody_works(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    with SyncTaskQueue(store) as queue:
        queue.enqueue(len, "a")

    assert main(["doctor", store, "--json"]) == 1

    findings = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"what": "workers", "found": "tasks are due, and no worker lives", "wrong": True} in findings


def test_doctor_finds_what_a_dead_worker_holds(store: str, jobs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with SyncTaskQueue(store) as queue:
        task_id = queue.enqueue(time.sleep, 60)
        worker = subprocess.Popen([sys.executable, "-m", "sitq", "worker", store, "--quiet", "--lease", "0.5"])
        while (info := queue.get_task(task_id)) is None or info.status != "running":
            time.sleep(0.02)
        worker.kill()
        worker.wait()
        time.sleep(0.6)

    assert main(["doctor", store]) == 1

    assert f"WRONG  stalled      {task_id}" in capsys.readouterr().out


def test_second_signal_ends_a_worker_at_once(store: str) -> None:
    with SyncTaskQueue(store) as queue:
        task_id = queue.enqueue(time.sleep, 60)
        worker = subprocess.Popen([sys.executable, "-m", "sitq", "worker", store, "--quiet"])
        while (info := queue.get_task(task_id)) is None or info.status != "running":
            time.sleep(0.02)

        worker.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        still_draining = worker.poll() is None
        worker.send_signal(signal.SIGTERM)

        assert still_draining
        assert worker.wait(timeout=5) == 0
        info = queue.get_task(task_id)
        assert info is not None and info.status == "pending"


def test_worker_runs_in_processes_if_told(store: str) -> None:
    with SyncTaskQueue(store) as queue:
        task_id = queue.enqueue(os.getpid)
        worker = subprocess.Popen(
            [sys.executable, "-m", "sitq", "worker", store, "--quiet", "--burst", "--executor", "process"]
        )

        assert worker.wait(20) == 0
        assert queue.get_result(task_id) not in (worker.pid, os.getpid())


def test_reader_that_has_seen_enough_is_no_trouble(store: str) -> None:
    with SyncTaskQueue(store) as queue:
        queue.map(len, ["a"] * 3000)

    ran = subprocess.run(
        f"{sys.executable} -m sitq export {store} | head -1", shell=True, capture_output=True, text=True, timeout=30
    )

    assert (len(ran.stdout.splitlines()), ran.stderr) == (1, "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0

    assert "_SITQ_COMPLETE" in capsys.readouterr().out


def test_missing_extra_is_one_sentence(tmp_path: Path) -> None:
    code = "import sys; sys.modules['click'] = None; from sitq.cli import main; sys.exit(main(['list', 'x.db']))"

    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)

    assert (ran.returncode, ran.stderr) == (
        2,
        "sitq: the command needs click and rich; pip install 'sitq-queue[cli]'\n",
    )


@pytest.mark.parametrize("arguments", [["explode"], ["list"], ["list", "x.db", "--limit", "0"]])
def test_wrong_usage_says_what_is_right(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2

    assert "Usage: sitq" in capsys.readouterr().err


def test_file_of_another_program_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other.txt"
    other.write_text("not a database, and long enough to be read as one" * 20)

    assert main(["list", str(other)]) == 2

    assert capsys.readouterr().err.startswith("sitq: ")


def test_rerun_takes_a_corrected_function(store: str, jobs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["enqueue", store, "cli_jobs:fail"])
    main(["worker", store, "--burst", "--quiet"])
    (jobs / "cli_fixed.py").write_text("def fail(): return 'mended'\n")
    capsys.readouterr()

    assert main(["rerun", store, "--status", "failed", "--with", "cli_fixed:fail", "--yes"]) == 0

    task_id = capsys.readouterr().out.strip()
    with SyncTaskQueue(store) as queue:
        run_until_empty_sync(queue)
        assert queue.get_result(task_id) == "mended"


def test_rerun_of_nothing_says_so_by_its_exit_code(store: str) -> None:
    with SyncTaskQueue(store):
        pass

    assert main(["rerun", store, "--name", "nobody"]) == 1


def test_schedule_is_made_listed_run_paused_and_removed(
    store: str, jobs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = main(["schedule", store, "cli_jobs:add", "1", "--cron", "0 8 * * mon", "--name", "weekly", "--queue", "q"])
    main(["schedules", store])
    table = capsys.readouterr().out
    codes = [
        main(["schedules", store, f"--{verb}", "weekly"]) for verb in ("pause", "resume", "run", "remove", "remove")
    ]

    assert (made, codes) == (0, [0, 0, 0, 0, 1])
    assert "weekly  0 8 * * mon UTC" in table and "cli_jobs.add(1)" in table
    out, err = capsys.readouterr()
    assert err == "sitq: there is no schedule named weekly\n"
    with SyncTaskQueue(store) as queue:
        assert queue.list_tasks()[0].id == out.strip()


@pytest.mark.parametrize(
    "recurs", [["--cron", "61 * * * *"], [], ["--every", "0"], ["--cron", "* * * * *", "--timezone", "Mars"]]
)
def test_schedule_that_cannot_be_is_refused(
    store: str, jobs: Path, recurs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["schedule", store, "cli_jobs:add", *recurs]) == 2

    assert capsys.readouterr().err.startswith("sitq: ")


def test_filters_ask_a_person_before_they_act(
    store: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    enqueue_failures(store, 3)
    asked = io.StringIO("n\n")
    asked.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stdin", asked)

    assert main(["rm", store, "--status", "failed"]) == 130

    assert "delete 3 tasks? [y/N]" in capsys.readouterr().err
    with SyncTaskQueue(store) as queue:
        assert len(queue.list_tasks()) == 3


def test_burst_drains_on_sigterm(store: str) -> None:
    with SyncTaskQueue(store) as queue:
        task_id = queue.enqueue(time.sleep, 1.0)
        worker = subprocess.Popen([sys.executable, "-m", "sitq", "worker", store, "--quiet", "--burst"])
        while (info := queue.get_task(task_id)) is None or info.status != "running":
            time.sleep(0.02)

        worker.send_signal(signal.SIGTERM)

        assert worker.wait(timeout=10) == 0
        info = queue.get_task(task_id)
        assert info is not None and info.status == "success"


def test_names_cannot_steer_the_terminal_through_the_log(store: str) -> None:
    with SyncTaskQueue(store) as queue:
        queue.options(name="evil\x1b[2J").enqueue(len, "a")

    log = sitq("worker", store, "--burst").stderr

    assert "\x1b" not in log
    assert "evil␛[2J begins" in log


def test_failed_wait_shows_the_traceback(store: str, jobs: Path) -> None:
    worker = subprocess.Popen([sys.executable, "-m", "sitq", "worker", store, "--quiet"], cwd=jobs)

    ran = sitq("enqueue", store, "cli_jobs:fail", "--wait", cwd=jobs)

    worker.terminate()
    worker.wait(10)
    assert ran.returncode == 1
    assert "sitq: ValueError: no luck\nTraceback" in ran.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
def test_full_device_is_one_line(store: str) -> None:
    with SyncTaskQueue(store) as queue:
        queue.map(len, ["a"] * 10)

    with open("/dev/full", "w") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "sitq", "list", store], stdout=full, stderr=subprocess.PIPE, text=True, timeout=30
        )

    assert (ran.returncode, ran.stderr) == (2, "sitq: cannot write: [Errno 28] No space left on device\n")


def test_commands_take_a_serializer_by_name(store: str, jobs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (jobs / "cli_keys.py").write_text(
        "from sitq import SignedSerializer\ndef signed(): return SignedSerializer(None, 'k' * 32)\n"
    )
    signed = ("--serializer", "cli_keys:signed")
    assert main(["enqueue", store, "cli_jobs:add", "1", "2", *signed]) == 0
    assert main(["enqueue", store, "cli_jobs:add", "3"]) == 0
    mine, theirs = capsys.readouterr().out.split()
    worked = sitq("worker", store, "--burst", *signed, cwd=jobs)

    assert worked.returncode == 0, worked.stderr
    with SyncTaskQueue(store) as queue:
        statuses = [(queue.get_task(task_id) or pytest.fail()).status for task_id in (mine, theirs)]
    assert statuses == ["success", "failed"]


def test_an_unknown_serializer_is_one_line(store: str, jobs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["enqueue", store, "cli_jobs:add", "1", "--serializer", "cli_jobs:signed"]) == 2
    assert "cannot import function cli_jobs:signed" in capsys.readouterr().err
