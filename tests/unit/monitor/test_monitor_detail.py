"""detail: all about one task, in words that fit its phase."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from monitor_rows import NOW, make_detail, make_row

from sitq.core import TaskStatus
from sitq.sanitize import Clean
from sitq_monitor.model import TaskRow
from sitq_monitor.widgets.detail_text import arguments_parts, attempts_parts, overview_parts


def told(row: TaskRow, **overrides: Any) -> str:
    detail = make_detail(row, **overrides)
    parts = (*overview_parts(detail, NOW), *arguments_parts(detail), *attempts_parts(detail, NOW))
    return "".join(text for text, _ in parts)


def test_failed_task_tells_its_error_first() -> None:
    assert told(make_row(1, TaskStatus.FAILED)).startswith("✗ failed  task_0001\nValueError: bad row\n")


def test_running_task_tells_how_long_it_runs() -> None:
    assert "running    for 9s" in told(make_row(990, TaskStatus.RUNNING))


def test_finished_task_tells_how_long_it_waited_and_ran() -> None:
    text = told(make_row(1, TaskStatus.SUCCESS))

    assert "· after 1.00s" in text
    assert "· ran 2.00s" in text


def test_waiting_since_enqueue_is_told_for_the_first_attempt_only() -> None:
    assert "after" not in told(make_row(1, TaskStatus.SUCCESS, attempt=2))


def test_scheduled_task_tells_when_it_is_due() -> None:
    row = make_row(1, phase=Clean("scheduled"))

    assert "· in 1h00" in told(row, due_at=NOW + timedelta(hours=1))


def test_pending_task_has_not_started() -> None:
    text = told(make_row(1))

    assert "started" not in text
    assert "Attempts" not in text


def test_error_of_an_attempt_is_told_unless_it_is_the_one_above() -> None:
    row = make_row(1, TaskStatus.FAILED)
    detail = make_detail(row)
    first = replace(detail.attempts[0], error=Clean("TimeoutError"))

    text = told(row, attempts=(first, replace(detail.attempts[0], number=2)), traceback=Clean(""))

    assert text.count("TimeoutError") == 1
    assert text.count("ValueError: bad row") == 1


def test_attempts_stand_on_a_line_of_time() -> None:
    row = make_row(1, TaskStatus.FAILED)
    first = make_detail(row).attempts[0]
    moved = timedelta(seconds=3)
    second = replace(first, number=2, started_at=first.started_at + moved, finished_at=first.finished_at + moved)

    lines = [line for line in told(row, attempts=(first, second)).splitlines() if "█" in line]

    assert [line.split()[-1] for line in lines] == ["─" * 4 + "█" * 8 + "─" * 12, "─" * 16 + "█" * 7 + "─"]


def test_attempts_of_a_moment_still_have_their_mark() -> None:
    row = make_row(1, TaskStatus.SUCCESS)
    attempt = replace(make_detail(row).attempts[0], finished_at=row.started_at)

    assert "█" in told(row, attempts=(attempt, make_detail(row).attempts[0]))


def test_workers_of_attempts_are_told_where_they_differ() -> None:
    row = make_row(1, TaskStatus.FAILED)
    first = make_detail(row).attempts[0]

    assert "worker-1" not in told(row, attempts=(first, first))
    assert "on worker-2" in told(row, attempts=(first, replace(first, worker=Clean("worker-2"))))
