"""When schedules fire: time zones and their changes, month ends, leap days, what was missed, and what is refused."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitq.core import Task
from sitq.exceptions import ValidationError
from sitq.recurring import Schedule, ScheduleInfo
from sitq.schedules import MOST_CAUGHT_UP, Recurrence, new_schedule, next_occurrence, occurrences, plan

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
MONDAY = datetime(2026, 6, 1, 12, tzinfo=UTC)
TASK = Task(id="1", name="greet", payload=b"payload")


def make(next_at: datetime | None = MONDAY, **overrides: Any) -> ScheduleInfo:
    facts = {"cron": None, "every": None, "timezone": None, "catch_up": "last", "task_name": "greet", "queue": "mail"}
    return ScheduleInfo(**{"name": "greet", "created_at": MONDAY, "next_at": next_at, **facts, **overrides})


def local(zone: str, *moment: int, fold: int = 0) -> datetime:
    return datetime(*moment, tzinfo=ZoneInfo(zone), fold=fold)


def after(zone: str, cron: str, moment: datetime, count: int) -> list[str]:
    """The next occurrences as a clock on the wall and its offset show them."""
    schedule = make(cron=cron, timezone=zone)
    moments = islice(occurrences(schedule, moment), count)
    return [one.astimezone(ZoneInfo(zone)).strftime("%m-%d %H:%M %z") for one in moments]


def test_cron_without_a_zone_is_read_in_utc() -> None:
    assert next_occurrence(make(cron="30 8 * * *"), MONDAY) == datetime(2026, 6, 2, 8, 30, tzinfo=UTC)


def test_cron_is_read_in_its_zone() -> None:
    assert after(BERLIN, "0 8 * * mon-fri", local(BERLIN, 2026, 6, 5, 9), 2) == [
        "06-08 08:00 +0200",
        "06-09 08:00 +0200",
    ]


def test_occurrences_come_in_utc() -> None:
    assert next_occurrence(make(cron="0 8 * * *", timezone=BERLIN), MONDAY).tzinfo is UTC


@pytest.mark.parametrize(
    ("zone", "day", "before", "changed", "later"),
    [
        (BERLIN, (2026, 3, 28), "03-28 02:30 +0100", "03-29 03:00 +0200", "03-30 02:30 +0200"),
        (NEW_YORK, (2026, 3, 7), "03-07 02:30 -0500", "03-08 03:00 -0400", "03-09 02:30 -0400"),
    ],
)
def test_moment_in_the_hour_that_is_left_out_comes_right_after_it(
    zone: str, day: tuple[int, ...], before: str, changed: str, later: str
) -> None:
    assert after(zone, "30 2 * * *", local(zone, *day), 3) == [before, changed, later]


@pytest.mark.parametrize(
    ("zone", "cron", "day", "first", "second"),
    [
        (BERLIN, "30 2 * * *", (2026, 10, 25), "10-25 02:30 +0200", "10-26 02:30 +0100"),
        (NEW_YORK, "30 1 * * *", (2026, 11, 1), "11-01 01:30 -0400", "11-02 01:30 -0500"),
    ],
)
def test_moment_in_the_hour_that_comes_twice_comes_once(
    zone: str, cron: str, day: tuple[int, ...], first: str, second: str
) -> None:
    assert after(zone, cron, local(zone, *day), 2) == [first, second]


@pytest.mark.parametrize(
    ("zone", "cron", "moment", "expected"),
    [
        (BERLIN, "30 2 * * *", (2026, 10, 25, 2, 15), "10-26 02:30 +0100"),
        (NEW_YORK, "30 1 * * *", (2026, 11, 1, 1, 15), "11-02 01:30 -0500"),
    ],
)
def test_look_in_the_second_of_two_equal_hours_goes_back_to_no_moment(
    zone: str, cron: str, moment: tuple[int, ...], expected: str
) -> None:
    assert after(zone, cron, local(zone, *moment, fold=1), 1) == [expected]


@pytest.mark.parametrize(
    ("zone", "moment", "expected"),
    [
        (BERLIN, (2026, 3, 29, 1), ["03-29 01:30 +0100", "03-29 03:00 +0200", "03-29 03:30 +0200"]),
        (BERLIN, (2026, 10, 25, 2), ["10-25 02:30 +0200", "10-25 02:00 +0100", "10-25 02:30 +0100"]),
        (NEW_YORK, (2026, 3, 8, 1), ["03-08 01:30 -0500", "03-08 03:00 -0400", "03-08 03:30 -0400"]),
        (NEW_YORK, (2026, 11, 1, 1), ["11-01 01:30 -0400", "11-01 01:00 -0500", "11-01 01:30 -0500"]),
    ],
)
def test_every_half_hour_stays_half_an_hour_when_the_clocks_change(
    zone: str, moment: tuple[int, ...], expected: list[str]
) -> None:
    assert after(zone, "*/30 * * * *", local(zone, *moment), 3) == expected


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("0 0 31 * *", ["2026-07-31", "2026-08-31", "2026-10-31"]),
        ("0 0 L * *", ["2026-06-30", "2026-07-31", "2026-08-31"]),
        ("0 0 29 2 *", ["2028-02-29", "2032-02-29", "2036-02-29"]),
        ("0 0 1 1 *", ["2027-01-01", "2028-01-01", "2029-01-01"]),
        ("0 0 * * sun#1", ["2026-06-07", "2026-07-05", "2026-08-02"]),
    ],
)
def test_months_end_when_they_end(cron: str, expected: list[str]) -> None:
    assert [f"{one:%Y-%m-%d}" for one in islice(occurrences(make(cron=cron), MONDAY), 3)] == expected


def test_interval_keeps_its_step_however_late_one_looks() -> None:
    late = MONDAY + timedelta(seconds=95.5)

    assert next_occurrence(make(every=10.0), late) == MONDAY + timedelta(seconds=100)


def test_interval_of_fractions_does_not_drift() -> None:
    moments = list(islice(occurrences(make(every=0.1), MONDAY), 10_000))

    assert moments[-1] == MONDAY + timedelta(seconds=1000)


RHYTHMS = st.one_of(
    st.builds(lambda every: {"every": every}, st.floats(0.01, 1e6)),
    st.builds(
        lambda minute, hour, day, zone: {"cron": f"{minute} {hour} {day} * *", "timezone": zone},
        st.sampled_from(["*", "*/7", "0", "30", "15,45"]),
        st.sampled_from(["*", "*/5", "1", "2", "2,3", "0-3", "23"]),
        st.sampled_from(["*", "1", "31", "*/2"]),
        st.sampled_from([BERLIN, NEW_YORK, "Australia/Lord_Howe", "Africa/Casablanca", "UTC"]),
    ),
)
MOMENTS = st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))


@given(RHYTHMS, MOMENTS)
def test_occurrences_only_increase(rhythm: dict[str, Any], moment: datetime) -> None:
    found = [moment, *islice(occurrences(make(**rhythm), moment), 50)]

    assert all(earlier < later for earlier, later in pairwise(found))


@given(RHYTHMS, MOMENTS, st.floats(0, 1e7))
def test_what_is_owed_lies_between_the_planned_moment_and_now(
    rhythm: dict[str, Any], due_at: datetime, late: float
) -> None:
    now = due_at + timedelta(seconds=late)
    for catch_up in ("last", "all", "none"):
        firing = plan(make(due_at, catch_up=catch_up, **rhythm), now)

        assert firing is not None
        assert all(due_at <= moment <= now for moment in firing.occurrences)
        assert firing.next_at is not None and firing.next_at > now
        assert all(earlier < later for earlier, later in pairwise(firing.occurrences))


def test_last_fires_the_newest_of_those_that_were_missed() -> None:
    firing = plan(make(cron="0 * * * *"), MONDAY + timedelta(hours=100, minutes=30))

    assert firing is not None
    assert firing.occurrences == (MONDAY + timedelta(hours=100),)
    assert firing.next_at == MONDAY + timedelta(hours=101)


def test_all_fires_each_of_those_that_were_missed() -> None:
    firing = plan(make(cron="0 * * * *", catch_up="all"), MONDAY + timedelta(hours=3, minutes=30))

    assert firing is not None
    assert firing.occurrences == tuple(MONDAY + timedelta(hours=hours) for hours in range(4))


def test_all_fires_no_more_than_a_thousand_the_newest() -> None:
    now = MONDAY + timedelta(days=400)

    firing = plan(make(cron="* * * * *", catch_up="all"), now)

    assert firing is not None
    assert len(firing.occurrences) == MOST_CAUGHT_UP
    assert firing.occurrences[-1] == now
    assert firing.occurrences[0] == now - timedelta(minutes=MOST_CAUGHT_UP - 1)


@pytest.mark.parametrize(("late", "fires"), [(0.0, True), (60.0, True), (61.0, False), (86_000.0, False)])
def test_none_fires_only_what_is_at_most_a_minute_late(late: float, fires: bool) -> None:
    firing = plan(make(cron="0 12 * * *", catch_up="none"), MONDAY + timedelta(seconds=late))

    assert firing is not None
    assert firing.occurrences == ((MONDAY,) if fires else ())
    assert firing.next_at == MONDAY + timedelta(days=1)


@pytest.mark.parametrize("rhythm", [{"every": 60.0}, {"cron": "* * * * *"}])
def test_moment_that_lies_ahead_owes_nothing(rhythm: dict[str, Any]) -> None:
    firing = plan(make(MONDAY + timedelta(days=30), **rhythm), MONDAY)

    assert firing is not None
    assert firing.occurrences == ()
    assert firing.next_at == MONDAY + timedelta(seconds=60)


def test_schedule_without_a_next_moment_owes_nothing() -> None:
    assert plan(make(None, cron="0 8 * * *"), MONDAY) is None


@pytest.mark.parametrize("facts", [{"cron": "0 8 * *"}, {"cron": "0 8 * * *", "timezone": "Mars"}, {"catch_up": "few"}])
def test_plan_refuses_what_a_store_should_not_hold(facts: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        plan(make(**facts), MONDAY)


def create(*, name: str = "greet", **recurs: Any) -> Schedule:
    return new_schedule(TASK, Recurrence(**recurs), name=name, now=MONDAY)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, 'give cron="0 8 \\* \\* \\*" or every=60.0, one of them: got cron=None and every=None'),
        ({"cron": "* * * * *", "every": 1.0}, "one of them: got cron='\\* \\* \\* \\* \\*' and every=1.0"),
        ({"cron": "0 8 * *"}, "cron must have five fields such as .*, got '0 8 \\* \\*'"),
        ({"cron": "0 0 8 * * *"}, "cron must have five fields"),
        ({"cron": "@daily"}, "cron must have five fields"),
        ({"cron": "61 8 * * *"}, "got '61 8 \\* \\* \\*': bad minute"),
        ({"cron": "0 8 * * monday"}, "bad day-of-week"),
        ({"cron": "0 0 30 2 *"}, "bad day-of-month"),
        ({"cron": f"{'9' * 5000} 8 * * *"}, "cron must have five fields"),
        ({"cron": 8}, "cron must be a text"),
        ({"every": 0}, "every must be more than 0 seconds, got 0"),
        ({"every": 0.001}, "every must be at least 0.01 seconds, got 0.001"),
        ({"every": timedelta(hours=1)}, "every must be more than 0 seconds, got datetime.timedelta"),
        ({"every": 60.0, "timezone": BERLIN}, "timezone goes with cron"),
        ({"cron": "* * * * *", "timezone": "Berlin"}, "got 'Berlin'; did you mean 'Europe/Berlin'\\?"),
        ({"cron": "* * * * *", "timezone": "Europe"}, "timezone must be a name"),
        ({"cron": "* * * * *", "timezone": "../etc/passwd"}, "timezone must be a name"),
        ({"cron": "* * * * *", "timezone": MONDAY}, "timezone must be a name"),
        ({"every": 1.0, "catch_up": "some"}, 'catch_up must be "last", "all" or "none", got \'some\''),
        ({"every": 1.0, "name": ""}, "name must be a text"),
    ],
)
def test_schedule_that_cannot_be_right_is_refused_in_one_line(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message) as caught:
        create(**given)

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("zone", [BERLIN, ZoneInfo(BERLIN)])
def test_zone_is_kept_by_its_name(zone: Any) -> None:
    assert create(cron="* * * * *", timezone=zone).timezone == BERLIN


def test_utc_needs_no_zone_database() -> None:
    assert create(cron="* * * * *", timezone=UTC).timezone == "UTC"


def test_first_occurrence_of_an_interval_is_one_step_ahead() -> None:
    assert create(every=90.0).next_at == MONDAY + timedelta(seconds=90)


def test_spaces_of_cron_do_not_count() -> None:
    assert create(cron=" 0  8 * * * ").cron == "0 8 * * *"


def test_system_without_zones_is_told_what_to_install() -> None:
    program = """
import sys
sys.modules["tzdata"] = None
from sitq.schedules import Recurrence, new_schedule
new_schedule(None, Recurrence(cron="* * * * *", timezone="Europe/Berlin"), name="greet", now=None)
"""
    environment = {**os.environ, "PYTHONTZPATH": ""}

    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)

    assert "ConfigurationError: timezone 'Europe/Berlin' needs a zone database; run: pip install tzdata" in ran.stderr
