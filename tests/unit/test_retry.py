"""The policy: whether there is another attempt, and after how long."""

import math
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitq.exceptions import ValidationError
from sitq.retry import RetriedCall, Retry

ERROR = ValueError("no")


def waits(policy: Retry, failures: int) -> list[float | None]:
    return [policy.wait_after(number, ERROR) for number in range(1, failures + 1)]


def test_waits_grow_by_the_factor() -> None:
    assert waits(Retry(5, delay=1.0, backoff=2.0, jitter=False), 5) == [1.0, 2.0, 4.0, 8.0, None]


def test_waits_stay_even_with_a_factor_of_one() -> None:
    assert waits(Retry(4, delay=3.0, backoff=1.0, jitter=False), 4) == [3.0, 3.0, 3.0, None]


def test_no_wait_exceeds_the_longest() -> None:
    assert waits(Retry(5, delay=1.0, backoff=10.0, max_delay=50.0, jitter=False), 4) == [1.0, 10.0, 50.0, 50.0]


def test_without_delay_the_next_attempt_is_due_at_once() -> None:
    assert waits(Retry(3, delay=0.0), 3) == [0.0, 0.0, None]


def test_one_attempt_has_no_other() -> None:
    assert Retry(1).wait_after(1, ERROR) is None


@pytest.mark.parametrize("backoff", [2, 2.0, 10, 10.0, 1e6, 1e300])
@pytest.mark.parametrize("failures", [2, 100, 400, 9_999])
def test_many_failures_meet_the_longest_wait(backoff: float, failures: int) -> None:
    policy = Retry(10_000, delay=1.0, backoff=backoff, max_delay=60.0, jitter=False)

    wait = policy.wait_after(failures, ERROR)

    assert wait == (2.0 if failures == 2 and backoff == 2 else 10.0 if failures == 2 and backoff == 10 else 60.0)


@given(
    delay=st.floats(0, 1e6),
    backoff=st.floats(1, 1e6),
    max_delay=st.floats(0, 1e6),
    failures=st.integers(1, 5000),
    jitter=st.booleans(),
)
def test_wait_is_always_between_nothing_and_the_longest(
    delay: float, backoff: float, max_delay: float, failures: int, jitter: bool
) -> None:
    policy = Retry(10_000, delay=delay, backoff=backoff, max_delay=max_delay, jitter=jitter)

    wait = policy.wait_after(failures, ERROR)

    assert wait is not None
    assert 0 <= wait <= max_delay


def test_jitter_draws_from_the_upper_half() -> None:
    drawn = [Retry(2, delay=10.0).wait_after(1, ERROR) or 0.0 for _ in range(500)]

    assert 5.0 <= min(drawn) < 6.0
    assert 9.0 < max(drawn) <= 10.0


@pytest.mark.parametrize(
    ("policy", "error", "worth"),
    [
        (Retry(), ValueError(), True),
        (Retry(), KeyboardInterrupt(), False),
        (Retry(on=(OSError,)), ConnectionError(), True),
        (Retry(on=(OSError,)), ValueError(), False),
        (Retry(on=(BaseException,)), SystemExit(), True),
        (Retry(on=()), ValueError(), False),
        (Retry(give_up_on=(ValueError,)), ValueError(), False),
        (Retry(give_up_on=(ValueError,)), UnicodeError(), False),
        (Retry(give_up_on=(UnicodeError,)), ValueError(), True),
        (Retry(on=(OSError,), give_up_on=(FileNotFoundError,)), PermissionError(), True),
    ],
)
def test_types_say_what_is_worth_another_attempt(policy: Retry, error: BaseException, worth: bool) -> None:
    assert (policy.wait_after(1, error) is not None) is worth


def test_timeout_is_worth_another_attempt_whatever_the_types() -> None:
    assert Retry(2, on=(OSError,), delay=0.0).wait_after(1) == 0.0


@pytest.mark.parametrize(
    "options",
    [
        {"max_attempts": 0},
        {"max_attempts": 2.5},
        {"max_attempts": "3"},
        {"max_attempts": 2**63},
        {"delay": -1},
        {"delay": math.inf},
        {"delay": "1"},
        {"backoff": 0.5},
        {"backoff": math.nan},
        {"backoff": math.inf},
        {"backoff": "2"},
        {"max_delay": -1},
        {"on": ValueError},
        {"on": [ValueError]},
        {"on": ("ValueError",)},
        {"on": (int,)},
        {"give_up_on": (ValueError(),)},
    ],
    ids=str,
)
def test_policy_that_cannot_be_right_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=f"{next(iter(options))} must be"):
        Retry(**options)


def test_policies_are_equal_by_what_they_say() -> None:
    assert Retry(3) == Retry(3)
    assert len({Retry(3), Retry(3), Retry(4)}) == 2


def test_call_with_a_policy_calls_its_function() -> None:
    assert RetriedCall(pow, Retry())(2, exp=3) == 8


def test_call_with_a_policy_can_be_pickled() -> None:
    call = RetriedCall(pow, Retry(5))

    assert pickle.loads(pickle.dumps(call)) == call
