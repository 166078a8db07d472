"""format: durations, ages, counts and moments are short, and never longer than their column."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from sitq_monitor.format import FACES, age, count, duration, face, moment, ticking

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECONDS = st.floats(min_value=-1e3, max_value=3e7)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-1.0, "0ms"),
        (0.0004, "0ms"),
        (0.42, "420ms"),
        (0.9996, "1.00s"),
        (1.5, "1.50s"),
        (9.996, "10.0s"),
        (59.96, "1m00"),
        (192, "3m12"),
        (3_840, "1h04"),
        (90_000, "1d01"),
    ],
)
def test_duration_has_the_precision_a_reader_can_use(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


@given(SECONDS)
def test_duration_fits_its_column(seconds: float) -> None:
    assert len(duration(seconds)) <= 5
    assert len(ticking(seconds)) <= 5


@given(SECONDS)
def test_age_fits_its_column(seconds: float) -> None:
    assert len(age(seconds)) <= 4


@pytest.mark.parametrize(("seconds", "shown"), [(-3, "0s"), (59.9, "59s"), (60, "1m"), (7_199, "1h"), (9e4, "1d")])
def test_age_has_one_unit(seconds: float, shown: str) -> None:
    assert age(seconds) == shown


@pytest.mark.parametrize(("seconds", "shown"), [(0.9, "0s"), (59.99, "59s"), (61, "1m01")])
def test_ticking_changes_once_a_second(seconds: float, shown: str) -> None:
    assert ticking(seconds) == shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0, "0"), (9_999, "9999"), (10_000, "10.0k"), (88_412, "88.4k"), (999_999, "999k"), (1_000_000, "1.0M")],
)
def test_count_is_short(number: int, shown: str) -> None:
    assert count(number) == shown


@given(st.integers(min_value=0, max_value=10**12))
def test_count_fits_five_cells(number: int) -> None:
    assert len(count(number)) <= 5


def test_moment_of_today_is_a_time_of_day() -> None:
    at = NOW.astimezone().replace(hour=9, minute=8, second=7)

    assert moment(at, NOW.astimezone().replace(hour=10)) == "09:08:07"


def test_moment_of_another_day_has_its_date() -> None:
    assert moment(NOW - timedelta(days=40), NOW).startswith("2026-01-")


@pytest.mark.parametrize("at", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
def test_moment_that_no_calendar_holds_is_still_shown(at: datetime) -> None:
    assert str(at.year) in moment(at, NOW)


def test_every_glyph_takes_one_cell() -> None:
    assert {cell_len(look.glyph) for look in FACES.values()} == {1}


def test_every_phase_has_a_glyph_of_its_own() -> None:
    assert len({look.glyph for look in FACES.values()}) == len(FACES)


def test_unknown_phase_is_shown_by_its_word() -> None:
    assert face("resting").word == "resting"
