"""What a notebook shows of tasks and workers: short, escaped, and true at the moment it is shown."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sitq import TaskInfo, TaskStatus
from sitq.core import Progress
from sitq.notebook.display import (
    Glance,
    say,
    state_of,
    task_html,
    task_text,
    tasks_html,
    tasks_text,
    worker_html,
    worker_text,
)
from sitq.views import QueueStats, Stats

BEGUN = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
NOW = BEGUN + timedelta(seconds=125)


def some_info(**overrides: Any) -> TaskInfo:
    facts = {"id": "1a", "name": "train", "queue": "default", "status": TaskStatus.RUNNING, "priority": 0, "attempt": 1}
    facts |= {"max_attempts": 1, "failures": 0, "crashes": 0, "enqueued_at": BEGUN, "due_at": BEGUN}
    return TaskInfo(**{**facts, "started_at": BEGUN, **overrides})


@pytest.mark.parametrize(
    ("overrides", "state"),
    [
        ({}, "running 2 min 5 s"),
        ({"cancel_requested": True}, "to be cancelled, running 2 min 5 s"),
        ({"stalled": True}, "stalled 2 min 5 s"),
        ({"started_at": NOW + timedelta(seconds=1)}, "running 0.0 s"),
        ({"finished_at": BEGUN + timedelta(seconds=0.3), "status": TaskStatus.SUCCESS}, "success 0.3 s"),
        (
            {"finished_at": NOW, "status": TaskStatus.FAILED, "error": "ValueError: a"},
            "failed 2 min 5 s, ValueError: a",
        ),
    ],
)
def test_task_says_its_state_and_for_how_long(overrides: dict[str, Any], state: str) -> None:
    assert task_text("1a", some_info(**overrides), NOW) == f"<task 1a train: {state}>"


@pytest.mark.parametrize(
    ("failures", "seconds", "state"),
    [(0, -1, "pending 2 min 5 s"), (0, 7230, "scheduled in 2 h 0 min"), (1, 5, "retrying in 5.0 s")],
)
def test_task_that_has_not_begun_says_when_it_is_due(failures: int, seconds: int, state: str) -> None:
    due_at = NOW + timedelta(seconds=seconds)
    info = some_info(status=TaskStatus.PENDING, failures=failures, started_at=None, due_at=due_at)

    assert task_text("1a", info, NOW) == f"<task 1a train: {state}>"


def test_task_that_was_not_seen_shows_its_id() -> None:
    assert task_text("1a", None, NOW) == "<task 1a>"
    assert task_html("<1a>", None, NOW) == "task <code>&lt;1a&gt;</code>"


def test_html_escapes_all_that_a_task_carries() -> None:
    info = some_info(name="<script>", error="<img>")

    for html in (task_html("<1a>", info, NOW), tasks_html([("<1a>", info), ("<1a>", None)], NOW)):
        assert not any(raw in html for raw in ("<script>", "<img>", "<1a>"))
        assert "&lt;script&gt;" in html


def test_html_says_at_what_time_it_was_so() -> None:
    moment = f"at {NOW.astimezone():%H:%M:%S}"

    assert moment in task_html("1a", some_info(), NOW)
    assert moment in tasks_html([("1a", None)], NOW)
    assert moment in worker_html("jobs.db", "running", None, NOW)


def test_table_shows_twenty_tasks_and_counts_the_rest() -> None:
    tasks = [(f"{number}", None) for number in range(25)]

    assert len(tasks_text(tasks, NOW).splitlines()) == 21
    assert tasks_html(tasks, NOW).count("<tr>") == 21
    assert tasks_text(tasks, NOW).endswith("… 5 more")
    assert "… 5 more" in tasks_html(tasks, NOW)


def test_empty_table_says_so() -> None:
    assert tasks_text([], NOW) == "no tasks"


def test_worker_shows_counts_of_all_lanes() -> None:
    stats = Stats(queues=(QueueStats(queue="a", failed=1), QueueStats(queue="b", failed=2, running=1)))

    assert worker_text("jobs.db", "running", stats) == "<BackgroundWorker on jobs.db: running, 1 running, 3 failed>"
    assert "<code>&lt;jobs&gt;</code>: stopped, 1 running, 3 failed" in worker_html("<jobs>", "stopped", stats, NOW)


def test_line_for_the_person_carries_the_name_of_the_library(capsys: pytest.CaptureFixture[str]) -> None:
    say("recovered 2 tasks")

    assert capsys.readouterr().out == "sitq: recovered 2 tasks\n"


@pytest.mark.parametrize(
    ("usual", "progress", "left"),
    [
        ({"train": 200.0}, None, "running 2 min 5 s, about 1 min 15 s left"),
        ({"train": 60.0}, None, "running 2 min 5 s, longer than the usual 1 min 0 s"),
        ({"other": 200.0}, None, "running 2 min 5 s"),
        ({"train": 200.0}, Progress(done=1, total=2), "running 2 min 5 s, 2 min 5 s left"),
    ],
)
def test_time_left_is_that_of_the_progress_or_else_the_usual_one(
    usual: dict[str, float], progress: Progress | None, left: str
) -> None:
    glance = Glance((), "", usual=usual)

    assert f">{left}<" in state_of(some_info(progress=progress), NOW, glance)[1]


def test_row_of_another_worker_says_whose_it_is() -> None:
    info = some_info(worker="<there>:7:ab")

    assert ">running 2 min 5 s, on &lt;there&gt;:7:ab<" in state_of(info, NOW, Glance((), "", worker="here:1:cd"))[1]
    assert ">running 2 min 5 s<" in state_of(info, NOW, Glance((), "", worker="<there>:7:ab"))[1]


def test_blocked_task_says_what_it_waits_for() -> None:
    info = some_info(status=TaskStatus.PENDING, started_at=None, waits_for="a worker on Python 3.99")

    assert task_text("1a", info, NOW) == "<task 1a train: blocked 2 min 5 s, waits for a worker on Python 3.99>"
