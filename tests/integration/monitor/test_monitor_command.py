"""The command `sitq-monitor`: exit codes, plain output, and what it does not load."""

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from monitor_store import FilledStore

from sitq import __version__
from sitq_monitor.__main__ import main

Answer = subprocess.CompletedProcess[str]


def python(*arguments: str | Path, **environment: str) -> Answer:
    """Run Python without a terminal, and give back what it printed."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        timeout=20,
        check=False,
    )


def run(*arguments: str | Path, **environment: str) -> Answer:
    return python("-m", "sitq_monitor", *arguments, **environment)


def loaded_by(*arguments: str | Path) -> set[str]:
    """Run the command and tell which modules it has loaded at its end."""
    options = list(map(str, arguments))
    code = f"import sys; from sitq_monitor.__main__ import main\ntry: main({options!r})\nfinally: print(*sys.modules)"
    return set(python("-c", code).stdout.splitlines()[-1].split())


def assert_refused(answer: Answer, *words: str) -> None:
    """One sentence on stderr, nothing on stdout, exit code 2."""
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith("sitq-monitor: ")
    assert answer.stderr.count("\n") == 1
    assert all(word in answer.stderr for word in words)


def test_missing_file_is_refused_and_not_made(tmp_path: Path) -> None:
    assert_refused(run(tmp_path / "nothing.db"), "nothing.db does not exist")

    assert list(tmp_path.iterdir()) == []


def test_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear Ada, " * 200)

    assert_refused(run(path), str(path))

    assert path.read_text() == "Dear Ada, " * 200


def test_empty_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    path.touch()

    assert_refused(run(path), "empty.db has no sitq schema")

    assert path.stat().st_size == 0


def test_database_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "music.db"
    with sqlite3.connect(path) as database:
        database.execute("create table song(title text)")
    database.close()
    before = path.read_bytes()

    assert_refused(run(path), str(path))

    assert path.read_bytes() == before


async def test_store_of_a_newer_version_is_refused(store: FilledStore) -> None:
    await store.backend.close()
    with sqlite3.connect(store.path) as database:
        database.execute("pragma user_version = 1000")
    database.close()

    assert_refused(run(store.path), "1000")


def test_unknown_scheme_is_refused() -> None:
    assert_refused(run("carrier-pigeon://coop"), "got carrier-pigeon://")


def test_password_in_a_url_is_not_repeated() -> None:
    ran = run("unknown://ada:s3cret@db/jobs")

    assert ran.returncode == 2
    assert "s3cret" not in ran.stderr


def test_hostile_path_is_cleaned_in_the_refusal(tmp_path: Path) -> None:
    assert_refused(run(tmp_path / "x\x1b]0;owned\x07.db"), "x␛]0;owned␇.db")


async def test_missing_textual_is_one_sentence_with_the_way_to_get_it(store: FilledStore) -> None:
    hide = "import sys; sys.modules['textual'] = None; import sitq_monitor.__main__ as m; m._has_screen = lambda: True"

    answer = python("-c", f"{hide}; sys.exit(m.main([{str(store.path)!r}]))")

    assert_refused(answer, 'pip install "sitq-queue[monitor]"')


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_load_neither_screen_nor_store(option: str) -> None:
    assert {"textual", "rich", "aiosqlite", "sqlite3"}.isdisjoint(loaded_by(option))


def test_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])

    assert (end.value.code, capsys.readouterr().out) == (0, f"sitq-monitor {__version__}\n")


async def test_once_prints_counts_and_newest_tasks(store: FilledStore) -> None:
    await store.fail("broken")
    await store.enqueue("waiting", arguments="1, 'b'")

    lines = run(store.path, "--once").stdout.splitlines()

    assert lines[0] == "1 pending, 0 running, 0 success, 1 failed, 0 cancelled; 1 worker"
    assert lines[2].split() == ["STATE", "ID", "TASK", "QUEUE", "TRY", "AGE", "TOOK", "ERROR", "/", "ARGUMENTS"]
    assert lines[3].split()[:2] + lines[3].split()[-2:] == ["○", "pending", "1,", "'b'"]
    assert "✗ failed" in lines[4] and lines[4].endswith("ValueError: no")


async def test_pipes_get_plain_text_without_being_asked(store: FilledStore) -> None:
    await store.enqueue("evil\x1b[2J")

    answer = run(store.path)

    assert (answer.returncode, answer.stderr) == (0, "")
    assert "evil␛[2J" in answer.stdout


async def test_output_fits_any_encoding(store: FilledStore) -> None:
    await store.enqueue("größe")

    answer = run(store.path, PYTHONIOENCODING="ascii")

    assert answer.returncode == 0
    assert "gr\\xf6\\xdfe" in answer.stdout


async def test_json_is_for_programs(store: FilledStore) -> None:
    task_id = await store.fail("broken\u202e")

    told = json.loads(run(store.path, "--json", "--limit", "1").stdout)

    (task,) = told["tasks"]
    assert told["counts"]["failed"] == 1
    assert (task["id"], task["name"], task["error"]) == (task_id, "broken\\u202e", "ValueError: no")
    assert 0 <= task["seconds_run"] < 60


@pytest.mark.parametrize("option", ["--once", "--json"])
async def test_plain_output_loads_neither_screen_nor_pickle(store: FilledStore, option: str) -> None:
    loaded = loaded_by(store.path, option)

    assert "sitq.inspector" in loaded
    assert {"textual", "rich", "pickle", "cloudpickle", "sitq.serialization"}.isdisjoint(loaded)
