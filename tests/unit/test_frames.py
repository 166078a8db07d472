"""What a worker and its child say to each other arrives as it was said."""

import socket
from datetime import UTC, datetime

import pytest

from sitq.core import Cause, Claim, Outcome, Result, TaskStatus
from sitq.running.frames import Frame, call_frame, claim_of, encode, outcome_frame, outcome_of, receive_frame

INPUTS = {
    "2b": Result(task_id="2b", status=TaskStatus.SUCCESS, value=b"\0value"),
    "3c": Result(task_id="3c", status=TaskStatus.FAILED, value=b"", error="ValueError: no", traceback="Traceback …"),
}
CLAIM = Claim(id="1a", attempt=2, name="task", queue="default", payload=b"payload", inputs={}, meta={"order": 7})
OUTCOME = Outcome("1a", 2, "default", TaskStatus.SUCCESS, Cause.SUCCESS, value=b"\xff" * 1000, duration=0.5)


def sent(frame: Frame) -> Frame:
    near, far = socket.socketpair()
    with near, far:
        near.sendall(encode(*frame))
        return receive_frame(far)


@pytest.mark.parametrize(
    "claim",
    [
        CLAIM,
        CLAIM._replace(inputs=INPUTS, waited=True),
        CLAIM._replace(scheduled_at=datetime(2026, 1, 1, 8, tzinfo=UTC), timeout=1.5, executor="process"),
    ],
)
def test_claim_arrives_as_it_was(claim: Claim) -> None:
    assert claim_of(sent(call_frame(claim))) == claim


@pytest.mark.parametrize(
    "outcome",
    [
        OUTCOME,
        OUTCOME._replace(value=b""),
        OUTCOME._replace(status=TaskStatus.PENDING, cause=Cause.ERROR, value=None, error="ValueError: ö", delay=3.0),
    ],
)
def test_outcome_arrives_as_it_was(outcome: Outcome) -> None:
    assert outcome_of(sent(outcome_frame(outcome))) == outcome
