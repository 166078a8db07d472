"""How far ahead a worker claims, how often it asks, and how long it waits after trouble."""

import pytest

from sitq.exceptions import BackendError, ConnectionError, ResourceExhaustionError, StoreBusyError
from sitq.running.pacing import Backoff, Pace, TripBudget


class Clock:
    """Tells the time that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def paced(*durations: float, max_concurrency: int = 1) -> Pace:
    pace = Pace(max_concurrency)
    for duration in durations:
        pace.note(duration)
    return pace


def test_nothing_is_claimed_ahead_before_anything_is_known() -> None:
    assert Pace(10).ahead == 0


def test_tasks_of_a_second_are_not_claimed_ahead() -> None:
    assert paced(1.0, 1.0, max_concurrency=10).ahead == 0


def test_tasks_of_microseconds_are_claimed_ahead_up_to_a_limit() -> None:
    assert paced(0.0, 1e-6).ahead == 64


def test_tasks_claimed_ahead_are_twenty_milliseconds_of_work() -> None:
    assert paced(0.002, max_concurrency=1).ahead == 10
    assert paced(0.002, max_concurrency=4).ahead == 40


def test_one_slow_task_ends_claiming_ahead() -> None:
    pace = paced(*[1e-6] * 100)

    pace.note(1.0)

    assert pace.ahead == 0


def test_claiming_ahead_begins_again_after_many_fast_tasks() -> None:
    pace = paced(1.0, *[1e-6] * 20)
    assert pace.ahead == 0

    for _ in range(150):
        pace.note(1e-6)

    assert pace.ahead == 64


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def budget(clock: Clock) -> TripBudget:
    return TripBudget(clock)


def test_first_trip_waits_for_nothing(budget: TripBudget) -> None:
    assert budget.pause() == 0


def note_stream(budget: TripBudget, trips: int) -> None:
    for _ in range(trips):
        budget.note(finished=3, claimed=3, asked=10)


def test_stream_of_small_trips_is_slowed_down(budget: TripBudget) -> None:
    note_stream(budget, 7)
    assert budget.pause() == 0

    note_stream(budget, 3)

    assert 0 < budget.pause() < 0.02


def test_lone_tasks_are_never_slowed_down(budget: TripBudget) -> None:
    for _ in range(100):
        budget.note(finished=1, claimed=1, asked=10)

    assert budget.pause() == 0


def test_full_loads_are_never_slowed_down(budget: TripBudget) -> None:
    for _ in range(100):
        budget.note(finished=10, claimed=10, asked=10)

    assert budget.pause() == 0


def test_trips_that_claim_nothing_are_never_slowed_down(budget: TripBudget) -> None:
    for _ in range(100):
        budget.note(finished=3, claimed=0, asked=10)

    assert budget.pause() == 0


def test_budget_comes_back_with_time(budget: TripBudget, clock: Clock) -> None:
    note_stream(budget, 10)

    clock.now += 1.0
    note_stream(budget, 1)

    assert budget.pause() == 0


def test_long_silence_earns_no_more_than_a_burst(budget: TripBudget, clock: Clock) -> None:
    clock.now += 3600.0

    note_stream(budget, 10)

    assert budget.pause() > 0


def test_pause_is_as_long_as_the_budget_needs(budget: TripBudget, clock: Clock) -> None:
    note_stream(budget, 10)

    clock.now += budget.pause()
    budget.note(finished=0, claimed=0, asked=10)

    assert budget.pause() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("trouble", "passes"),
    [
        (StoreBusyError("locked"), True),
        (ResourceExhaustionError("disk full"), True),
        (BackendError("deleted"), False),
        (ConnectionError("no such folder"), False),
        (ValueError("ours"), False),
    ],
)
def test_only_trouble_that_passes_by_itself_is_tried_again(trouble: Exception, passes: bool) -> None:
    assert Backoff().may_retry(trouble) is passes


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits that would have been, in seconds."""
    seconds: list[float] = []

    async def note(delay: float) -> None:
        seconds.append(delay)

    monkeypatch.setattr("sitq.running.pacing.asyncio.sleep", note)
    return seconds


async def test_waits_grow_with_each_trouble_in_a_row(slept: list[float]) -> None:
    backoff = Backoff()
    for _ in range(10):
        await backoff.sleep()

    longest = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0, 5.0]
    assert all(most / 2 <= wait <= most for wait, most in zip(slept, longest, strict=True))


async def test_wait_is_short_again_after_a_success(slept: list[float]) -> None:
    backoff = Backoff()
    for _ in range(5):
        await backoff.sleep()

    backoff.reset()
    await backoff.sleep()

    assert slept[-1] <= 0.1
