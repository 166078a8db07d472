"""The middleware that measures how long attempts take."""

import logging
import time
from pathlib import Path

import pytest
from running import echo

from sitq.exceptions import ValidationError
from sitq.middleware import Timing
from sitq.queue import TaskQueue
from sitq.worker import Worker


def fail() -> None:
    raise ValueError("no")


async def time_all(path: Path, timing: Timing) -> None:
    await Worker(path, middleware=[timing]).run_until_empty(timeout=10)


async def test_timing_adds_up_by_name(path: Path, queue: TaskQueue) -> None:
    timing = Timing()
    await queue.options(name="nap").enqueue_many(time.sleep, [(0.02,), (0.06,)])
    await queue.options(name="fail", retry=1).enqueue(fail)
    await time_all(path, timing)

    nap, failed = timing.by_name["nap"], timing.by_name["fail"]
    assert (nap.attempts, failed.attempts) == (2, 1)
    assert nap.seconds >= 0.08
    assert 0.06 <= nap.longest < nap.seconds


async def test_timing_is_silent_by_default(path: Path, queue: TaskQueue, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="sitq.middleware")
    task = await queue.enqueue(echo, 1)
    await time_all(path, Timing())

    (record,) = [record for record in caplog.records if record.name == "sitq.middleware"]
    assert record.levelno == logging.DEBUG
    assert record.getMessage().startswith(f"{task} attempt 1 of running.echo took 0.0")


async def test_timing_warns_of_slow_attempts(path: Path, queue: TaskQueue, caplog: pytest.LogCaptureFixture) -> None:
    await queue.enqueue(time.sleep, 0.05)
    await queue.enqueue(echo, 1)
    await time_all(path, Timing(slow=0.04))

    (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert " attempt 1 of time.sleep took 0.0" in line


def test_timing_refuses_a_limit_that_is_none() -> None:
    with pytest.raises(ValidationError, match="slow must be more than 0 seconds, got 0"):
        Timing(slow=0)
