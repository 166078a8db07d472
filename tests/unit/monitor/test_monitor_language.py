"""language: filters and places as people write them."""

from datetime import UTC, datetime, timedelta

import pytest
from monitor_rows import NOW

from sitq.core import TaskStatus
from sitq_monitor.language import FilterError, moment, parse, place, quoted, with_since, without_state
from sitq_monitor.view import END, Filter


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", Filter()),
        ("  ", Filter()),
        ("state:failed", Filter(status=TaskStatus.FAILED)),
        ("name:send_* queue:mail", Filter(name="send_*", queue="mail")),
        ('tag:"two words" no such', Filter(tag="two words", text="no such")),
        ("since:1h until:30m", Filter(since=NOW - timedelta(hours=1), until=NOW - timedelta(minutes=30))),
        ("-state:failed -state:success", Filter(except_statuses=(TaskStatus.FAILED, TaskStatus.SUCCESS))),
        ("-queue:mail -name:send_* -name:x", Filter(except_queues=("mail",), except_names=("send_*", "x"))),
        ('queue:mail "-name:two words" -v', Filter(queue="mail", except_names=("two words",), text="-v")),
        ("12:30", Filter(text="12:30")),
        ("-12:30", Filter(text="-12:30")),
        ("it's", Filter(text="it's")),
        ("name:a:b", Filter(name="a:b")),
    ],
)
def test_filter_is_read(text: str, wanted: Filter) -> None:
    assert parse(text, NOW) == wanted


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("colour:red", "there is no colour: to filter by, but state:"),
        ("state:done", "there is no state 'done', but pending, running"),
        ("name:", "name: needs a value"),
        ("-name:", "-name: needs a value"),
        ("-tag:eu", "there is no -tag: to filter by, but -state: -name: -queue:"),
        ("-state:done", "there is no state 'done'"),
        ("state:failed -state:failed", "no state is left to match"),
        (" ".join(f"-state:{status}" for status in TaskStatus), "no state is left to match"),
        ("since:soon", "'soon' is no moment; write a time ago like 30m"),
        ("since:999999w", "is no moment"),
    ],
)
def test_filter_that_cannot_be_right_is_refused_in_one_line(text: str, words: str) -> None:
    with pytest.raises(FilterError, match=words):
        parse(text, NOW)


def test_only_a_plain_filter_needs_no_search() -> None:
    assert parse("state:failed", NOW).is_plain
    assert not parse("state:failed x", NOW).is_plain


def test_moment_is_read_in_local_time() -> None:
    here = NOW.astimezone()
    earlier, later = here - timedelta(minutes=5), here + timedelta(minutes=5)

    assert moment(f"{earlier:%H:%M}", NOW) == NOW - timedelta(minutes=5)
    assert moment(f"{later:%H:%M}", NOW) == NOW + timedelta(minutes=5) - timedelta(days=1)
    assert moment("2026-02-03", NOW) == datetime(2026, 2, 3).astimezone()
    assert moment("2026-02-03T04:05+00:00", NOW) == datetime(2026, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(("text", "wanted"), [("50%", 0.5), ("0 %", 0.0), ("250%", END), ("end", END)])
def test_part_of_a_list_is_a_place(text: str, wanted: float) -> None:
    assert place(text, NOW) == wanted


def test_moment_is_a_place() -> None:
    assert place("2h", NOW) == NOW - timedelta(hours=2)
    with pytest.raises(FilterError):
        place("half", NOW)


def test_written_filter_keeps_its_quotes() -> None:
    assert without_state('state:failed tag:"two words" x') == '"tag:two words" x'
    assert parse('"tag:two words" x', NOW) == Filter(tag="two words", text="x")
    assert quoted("queue", "two words") == '"queue:two words"'


def test_range_of_time_takes_the_place_of_another() -> None:
    assert with_since("queue:mail since:1h until:5m", "6h") == "queue:mail since:6h"
    assert with_since("since:1h x", "") == "x"
