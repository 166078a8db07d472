"""columns: as many as the width holds, and together never wider than it."""

from datetime import timedelta

import pytest
from monitor_rows import NOW, make_row

from sitq.core import TaskStatus
from sitq.sanitize import Clean
from sitq_monitor.columns import GAP, GUTTER, cells_of, columns_for, span_of_changes


@pytest.mark.parametrize("width", [58, 69, 70, 79, 95, 96, 115, 116, 159, 240])
def test_columns_fill_the_width(width: int) -> None:
    columns = columns_for(width)

    assert GUTTER + sum(column.width for column in columns) + GAP * (len(columns) - 1) <= width
    assert min(column.width for column in columns) >= 1


@pytest.mark.parametrize(
    ("width", "titles"),
    [
        (59, ["", "TASK", "AGE", "TOOK", "ERROR / ARGUMENTS"]),
        (79, ["", "STATE", "TASK", "TRY", "AGE", "TOOK", "ERROR / ARGUMENTS"]),
        (159, ["", "STATE", "ID", "TASK", "QUEUE", "TRY", "AGE", "TOOK", "ERROR / ARGUMENTS"]),
    ],
)
def test_wider_tables_have_more_columns(width: int, titles: list[str]) -> None:
    assert [column.title for column in columns_for(width)] == titles


def test_narrow_tables_still_name_the_state_by_a_glyph() -> None:
    assert cells_of(make_row(status=TaskStatus.FAILED), 59, NOW)[0].text == "✗"


def test_running_time_grows() -> None:
    row = make_row(1000, TaskStatus.RUNNING)

    took = [cells_of(row, 79, NOW + timedelta(seconds=passed))[5].text for passed in (1, 9, 62)]

    assert took == ["0s", "8s", "1m01"]


def test_time_of_a_finished_task_stands() -> None:
    row = make_row(1, TaskStatus.SUCCESS)

    assert cells_of(row, 79, NOW)[5].text == cells_of(row, 79, NOW + timedelta(days=1))[5].text == "2.00s"


def test_running_task_that_was_asked_to_stop_says_so() -> None:
    row = make_row(status=TaskStatus.RUNNING, cancel_requested=True)

    assert cells_of(row, 79, NOW)[1].text == "cancelling"


def test_requeued_task_has_not_run() -> None:
    row = make_row(attempt=1, phase=Clean("retrying"), started_at=NOW)

    assert cells_of(row, 79, NOW)[5].text == ""


def test_span_of_changes_covers_the_cells_that_differ() -> None:
    row = make_row(1000, TaskStatus.RUNNING)
    before, after = (cells_of(row, 79, NOW + timedelta(seconds=passed)) for passed in (0, 3))
    widths = [column.width + GAP for column in columns_for(79)]

    assert span_of_changes(before, after, 79) == (GUTTER + sum(widths[:4]), GUTTER + sum(widths[:6]))
    assert span_of_changes(before, before, 79) is None


def test_age_goes_in_steps_after_a_few_seconds() -> None:
    row = make_row(1000)

    ages = [cells_of(row, 79, NOW + timedelta(seconds=passed))[4].text for passed in (9, 13, 59, 61)]

    assert ages == ["9s", "10s", "55s", "1m"]


@pytest.mark.parametrize("seconds", [12, 34, 59])
def test_running_task_is_never_younger_than_its_run(seconds: int) -> None:
    row = make_row(1, TaskStatus.RUNNING, started_at=NOW, enqueued_at=NOW)
    cells = cells_of(row, 80, NOW + timedelta(seconds=seconds))

    assert [cell.text for cell in cells if cell.text == f"{seconds}s"] == [f"{seconds}s"] * 2
