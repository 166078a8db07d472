"""What a worker holds: attempts that run, claims that wait, and outcomes."""

from typing import Any

import pytest

from sitq.core import Cause, Claim, Outcome, TaskStatus
from sitq.running.outcomes import stopped, success
from sitq.running.slots import MAX_CRASHES, PATIENCE, Slots


class Run:
    """An attempt that does nothing."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.stops: list[Cause] = []

    def stop(self, cause: Cause) -> None:
        self.stops.append(cause)


class Hand:
    """Slots of two, with all that they have started, at a time that is set."""

    def __init__(self) -> None:
        self.now = 0.0
        self.started: dict[str, Run] = {}
        self.slots = Slots(2, self._start, lambda: self.now)

    def _start(self, claim: Claim) -> Run:
        return self.started.setdefault(claim.id, Run(claim))

    def told(self) -> list[tuple[str, Cause]]:
        return [(outcome.id, outcome.cause) for outcome in self.slots.outcomes]


@pytest.fixture
def hand() -> Hand:
    return Hand()


def claims(ids: str, **facts: Any) -> list[Claim]:
    return [Claim(id=task_id, attempt=1, name="task", queue="default", payload=b"", **facts) for task_id in ids]


def quick(task_id: str) -> Outcome:
    return success(claims(task_id)[0], b"", begun=0.0)._replace(duration=0.001)


def test_claims_are_started_in_their_order(hand: Hand) -> None:
    hand.slots.take(claims("abcd"))

    assert list(hand.started) == ["a", "b"]
    assert hand.slots.held() == dict.fromkeys("abcd", 1)


def test_later_claims_wait_behind_earlier_ones(hand: Hand) -> None:
    hand.slots.take(claims("abc"))
    hand.slots.take(claims("d"))

    for task_id in "ab":
        hand.slots.finish(quick(task_id))
    hand.slots.fill()

    assert list(hand.started) == ["a", "b", "c", "d"]


def test_room_is_half_of_what_may_be_held(hand: Hand) -> None:
    assert hand.slots.room() == 1

    hand.slots.take(claims("ab"))

    assert hand.slots.room() == 0


def test_quick_tasks_make_room_for_claims_ahead(hand: Hand) -> None:
    hand.slots.take(claims("ab"))
    hand.slots.finish(quick("a"))

    assert hand.slots.room() > 2


def test_outcome_of_an_attempt_that_was_left_behind_is_dropped(hand: Hand) -> None:
    hand.slots.take(claims("a"))
    hand.slots.leave_behind()

    assert not hand.slots.finish(quick("a"))
    assert hand.told() == [("a", Cause.RELEASED)]


def test_task_that_killed_its_workers_is_not_started(hand: Hand) -> None:
    hand.slots.take(claims("a", crashes=MAX_CRASHES))

    assert (hand.started, hand.slots.outcomes[0].status) == ({}, TaskStatus.FAILED)


def test_cancelled_ones_are_stopped_or_never_started(hand: Hand) -> None:
    hand.slots.take(claims("abc"))

    hand.slots.cancel({"a", "c"})

    assert (hand.started["a"].stops, hand.started["b"].stops) == ([Cause.CANCELLED], [])
    assert hand.slots.outcomes == [stopped(claims("c")[0], Cause.CANCELLED)]


def test_claims_that_wait_for_too_long_are_given_back(hand: Hand) -> None:
    hand.slots.take(claims("abc"))

    hand.now = PATIENCE
    hand.slots.give_back_late()
    assert hand.told() == []

    hand.now = 2 * PATIENCE
    hand.slots.give_back_late()
    assert hand.told() == [("c", Cause.RELEASED)]


def test_nothing_is_started_after_the_close(hand: Hand) -> None:
    hand.slots.take(claims("abc"))
    hand.slots.close()

    hand.slots.finish(quick("a"))
    hand.slots.fill()

    assert (list(hand.started), hand.slots.room()) == (["a", "b"], 0)
