"""Every example runs as a script of its own and prints what it promises."""

import subprocess
import sys
from pathlib import Path

import pytest
from processes import ROOT

BASIC = ROOT / "examples" / "basic"

# Lines that each must print, in this order, beside others.
PROMISES = {
    "api_demo.py": [
        "value: Hello, World!",
        "result: success 42 at attempt 1",
        "map: [0, 1, 4, 9, 16]",
        "enqueue_many: [2, 5, 13]",
        "options: a letter mail 5 3 ('demo',)",
        "refused: there is no option 'prioritty'; did you mean 'priority'?",
        "cancelled tasks: ['sleep_long']",
        "lanes: ['default', 'mail'] workers: 1",
    ],
    "end_to_end.py": [
        "enqueued 11 tasks",
        "longest word: stored",
        "on a shared backend: ('shared', 6)",
    ],
    "eta.py": [
        "refused: eta must be timezone-aware, got 2026-01-01 00:00:00; add tzinfo=timezone.utc or your zone",
    ],
    "bounded_concurrency.py": [
        "12 x rest: at most 3 at once, allowed are 3",
        "12 x block: at most 3 at once, allowed are 3",
    ],
    "failures_and_tracebacks.py": [
        "raised: ZeroDivisionError: division by zero",
        "traceback ends with: ZeroDivisionError: division by zero",
        "retried: attempt 3 got through",
        "  attempt 2 error ConnectionError: attempt 2 found nobody",
        "refused: cannot pickle '_thread.lock' object: function <lambda> -> closure 'lock'",
        "failed again, at attempt 2",
    ],
    "pipeline.py": [
        "without a worker the summary is waiting for 4 other tasks",
        "2262 primes in 4 parts",
        "the first part did Progress(done=4998.0, total=4998.0, message='up to 5000')",
        "and printed: 669 primes from 0 to 5000",
    ],
    "sync_client_with_worker.py": [
        "value: 42",
        "in the worker's process: True",
        "not ready in time: None",
        "failed: IndexError: list index out of range",
        "the worker ended with exit code 0",
    ],
}


def _lines_of(script: Path, folder: Path) -> list[str]:
    command = [sys.executable, "-W", "error", script]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=30)
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout.splitlines()


def test_every_example_is_tested() -> None:
    assert {path.name for path in BASIC.glob("*.py")} == set(PROMISES)


@pytest.mark.parametrize("name", PROMISES)
def test_example_prints_what_it_promises_and_leaves_nothing_behind(name: str, tmp_path: Path) -> None:
    lines = _lines_of(BASIC / name, tmp_path)
    assert [line for line in lines if line in PROMISES[name]] == PROMISES[name]
    assert list(tmp_path.iterdir()) == []


def test_etas_are_kept_in_any_timezone(tmp_path: Path) -> None:
    moments = [line.partition(": ")[2] for line in _lines_of(BASIC / "eta.py", tmp_path) if line.startswith("after")]
    assert moments == ["at a moment that has passed", "at a moment in Kathmandu", "one second later"]


def test_end_to_end_example_shows_all_kinds_of_tasks_and_a_traceback(tmp_path: Path) -> None:
    text = "\n".join(_lines_of(ROOT / "example_end_to_end.py", tmp_path))
    for expected in ("page 3: 20 products", "2262", "a task queue", "reached at the third attempt", "in parse_price"):
        assert expected in text
    assert "ValueError: could not convert string to float: 'on request'" in text


def test_end_to_end_example_leaves_its_file_and_says_how_to_open_it(tmp_path: Path) -> None:
    last = _lines_of(ROOT / "example_end_to_end.py", tmp_path)[-1]
    assert last.startswith("See them in the monitor:") and last.endswith("example.db")
    assert (tmp_path / "example.db").is_file()
