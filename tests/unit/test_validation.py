"""The checks at the doors: what is right comes back, and what is not is told in one line."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from sitq import validation
from sitq.exceptions import ValidationError

INF, NAN = float("inf"), float("nan")


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (validation.at_least_one, 1),
        (validation.at_least_one, 500),
        (validation.integer, 0),
        (validation.integer, -7),
        (validation.positive, 0.001),
        (validation.positive, 5),
        (validation.not_negative, 0),
        (validation.not_negative, 2.5),
        (validation.text, "mail"),
        (validation.text, " Grüße, 世界 🌍"),
    ],
)
def test_what_is_right_comes_back(check: Callable[..., Any], value: Any) -> None:
    assert check("it", value) == value


WRONG: list[tuple[Callable[..., Any], Any, str]] = [
    *((validation.at_least_one, value, "an integer of 1 or more") for value in (0, -1, 1.0, True, "1", None)),
    *((validation.integer, value, "an integer") for value in (1.0, False, "1", None)),
    *((validation.positive, value, "more than 0 seconds") for value in (0, -0.1, INF, NAN, True, "1", Decimal(1))),
    *((validation.not_negative, value, "0 seconds or more") for value in (-1, INF, -INF, NAN, None, timedelta(1))),
    *((validation.text, value, "a text that is not empty") for value in ("", "  ", None, 5, b"mail")),
    (validation.text, "\udcff", "valid Unicode"),
]


@pytest.mark.parametrize(("check", "value", "right"), WRONG)
def test_what_is_wrong_is_told_with_what_would_be_right(check: Callable[..., Any], value: Any, right: str) -> None:
    with pytest.raises(ValidationError) as caught:
        check("it", value)

    message = str(caught.value)
    assert message.startswith(f"it must be {right}, got {value!r}")
    assert "\n" not in message


@pytest.mark.parametrize("check", [validation.positive, validation.not_negative])
@pytest.mark.parametrize("seconds", [1e300, 10**400, 10**12], ids=["1e300", "10**400", "10**12"])
def test_seconds_beyond_a_thousand_years_are_refused(check: Callable[..., Any], seconds: float) -> None:
    with pytest.raises(ValidationError, match="it must be"):
        check("it", seconds)


@pytest.mark.parametrize("check", [validation.integer, validation.at_least_one])
def test_integer_that_no_store_can_hold_is_refused(check: Callable[..., Any]) -> None:
    with pytest.raises(ValidationError, match="it must be"):
        check("it", 2**63)


def test_seconds_come_back_as_a_float() -> None:
    assert type(validation.positive("it", 5)) is float
    assert type(validation.not_negative("it", 0)) is float


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=-12)), timezone(timedelta(hours=5, minutes=30))])
def test_aware_datetime_comes_back(zone: timezone) -> None:
    moment = datetime(2030, 1, 1, tzinfo=zone)

    assert validation.aware("eta", moment) is moment


def test_naive_datetime_is_refused() -> None:
    with pytest.raises(ValidationError, match="eta must be timezone-aware, got 2026-01-01 00:00:00; add tzinfo="):
        validation.aware("eta", datetime(2026, 1, 1))


@pytest.mark.parametrize("moment", [60, 1.5, timedelta(seconds=5)])
def test_wait_given_as_a_moment_is_refused_with_a_hint(moment: Any) -> None:
    with pytest.raises(ValidationError, match="for a wait from now use delay"):
        validation.aware("eta", moment)


@pytest.mark.parametrize("moment", ["2030-01-01", None, datetime(2030, 1, 1).date()])
def test_what_is_no_moment_is_refused_without_that_hint(moment: Any) -> None:
    with pytest.raises(ValidationError, match="must be a timezone-aware datetime") as caught:
        validation.aware("eta", moment)
    assert "delay" not in str(caught.value)


@pytest.mark.parametrize("queues", [["mail"], ("mail", "video"), None])
def test_names_of_lanes_come_back_as_a_tuple(queues: Any) -> None:
    assert validation.queue_names(queues) == (None if queues is None else tuple(queues))


@pytest.mark.parametrize("queues", ["mail", "", [], ()])
def test_lanes_that_are_no_list_of_names_are_refused(queues: Any) -> None:
    with pytest.raises(ValidationError, match="queues must be a list of names"):
        validation.queue_names(queues)


def test_lane_without_a_name_is_refused() -> None:
    with pytest.raises(ValidationError, match="queue must be a text that is not empty, got ''"):
        validation.queue_names(["mail", ""])


@pytest.mark.parametrize("args", [(1, 2), [1, 2], range(1, 3)])
def test_arguments_come_back_as_a_tuple(args: Any) -> None:
    assert validation.arguments(args) == (1, 2)


@pytest.mark.parametrize("args", ["ab", b"ab", 1, None, {1, 2}, {"a": 1}])
def test_arguments_that_are_no_sequence_are_refused(args: Any) -> None:
    with pytest.raises(ValidationError, match="each call needs a tuple of its arguments"):
        validation.arguments(args)


@pytest.mark.parametrize("function", [print, len, int, lambda: None, "".join])
def test_callable_comes_back(function: Any) -> None:
    assert validation.callable_object(function) is function


async def be_called() -> None:
    pass


def test_coroutine_is_refused_with_a_hint() -> None:
    coroutine = be_called()

    with pytest.raises(ValidationError, match=r"a task must be callable, got coroutine .* without calling it"):
        validation.callable_object(coroutine)
    coroutine.close()


def test_long_object_is_shown_shortened() -> None:
    with pytest.raises(ValidationError) as caught:
        validation.callable_object("x" * 10_000)
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize(("ids", "each_once"), [("a", ("a",)), (["b", "a", "b"], ("b", "a")), (iter("ab"), ("a", "b"))])
def test_ids_are_one_or_many(ids: Any, each_once: tuple[str, ...]) -> None:
    assert validation.task_ids("ids", ids) == each_once


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (7, "ids must be a task's handle or id, or a list of them, got 7"),
        (None, "ids must be a task's handle or id, or a list of them, got None"),
        (b"a", "ids must be a task's handle or id, or a list of them, got b'a'"),
        (["a", 7], "ids must be a text that is not empty, got 7"),
    ],
)
def test_what_is_no_id_is_refused(ids: Any, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        validation.task_ids("ids", ids)

    assert str(caught.value) == message


def test_choices_are_listed_as_they_are_written() -> None:
    with pytest.raises(ValidationError, match='it must be "a", "b" or "c", got \'d\''):
        validation.one_of("it", "d", ("a", "b", "c"))
