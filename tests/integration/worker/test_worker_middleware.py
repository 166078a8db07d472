"""What stands around attempts: it sees them, may change or skip them, and never ends the worker."""

import asyncio
import contextvars
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from running import echo, echo_async, hold, hold_thread, result_of, until, until_begun, until_claimed, until_status

from sitq.core import Cause, Claim, Outcome, TaskStatus
from sitq.exceptions import ValidationError
from sitq.middleware import CallNext, Middleware
from sitq.queue import TaskQueue
from sitq.retry import Discard, Retry, Snooze
from sitq.serialization import CloudpickleSerializer
from sitq.worker import Worker

colour: contextvars.ContextVar[str] = contextvars.ContextVar("colour", default="none")


def fail() -> None:
    raise ValueError("no")


async def drain(path: Path, *middleware: Middleware) -> None:
    await Worker(path, middleware=middleware).run_until_empty(timeout=10)


async def run(path: Path, queue: TaskQueue, *middleware: Middleware, **options: Any) -> Any:
    """Run one task that succeeds, and give its result."""
    task = await queue.options(**options).enqueue(echo, 1)
    await drain(path, *middleware)
    return await result_of(queue, task)


@pytest.mark.parametrize("function", [echo, echo_async])
async def test_middleware_gets_the_claim_and_the_outcome(
    function: Callable[[int], Any], path: Path, queue: TaskQueue
) -> None:
    seen: list[tuple[Claim, Outcome]] = []

    async def watch(claim: Claim, call_next: CallNext) -> Outcome:
        seen.append((claim, await call_next()))
        return seen[-1][1]

    task = await queue.options(meta={"order": 7}).enqueue(function, 1)
    await drain(path, watch)

    ((claim, outcome),) = seen
    assert (claim.id, claim.attempt, claim.meta) == (task, 1, {"order": 7})
    assert outcome.cause is Cause.SUCCESS
    assert await task == 1


async def test_first_middleware_is_the_outermost(path: Path, queue: TaskQueue) -> None:
    steps: list[str] = []

    def noting(name: str) -> Middleware:
        async def note(claim: Claim, call_next: CallNext) -> Outcome:
            steps.append(f"{name} in")
            outcome = await call_next()
            steps.append(f"{name} out")
            return outcome

        return note

    await run(path, queue, noting("a"), noting("b"))

    assert steps == ["a in", "b in", "b out", "a out"]


async def test_failure_of_the_function_is_an_outcome_and_no_exception(path: Path, queue: TaskQueue) -> None:
    errors: list[str | None] = []

    async def watch(claim: Claim, call_next: CallNext) -> Outcome:
        outcome = await call_next()
        errors.append(outcome.error)
        return outcome

    task = await queue.enqueue(fail)
    await drain(path, watch)

    assert errors == ["ValueError: no"]
    assert (await result_of(queue, task)).status is TaskStatus.FAILED


async def paint(claim: Claim, call_next: CallNext) -> Outcome:
    colour.set("red")
    return await call_next()


def see() -> str:
    return colour.get()


async def see_async() -> str:
    await asyncio.sleep(0)
    return colour.get()


@pytest.mark.parametrize("function", [see, see_async, lambda: see_async()])
async def test_context_variables_of_middleware_are_seen_by_the_function_alone(
    function: Callable[[], Any], path: Path, queue: TaskQueue
) -> None:
    task = await queue.enqueue(function)
    await drain(path, paint)

    assert await task == "red"
    assert colour.get() == "none"


async def test_middleware_may_change_the_outcome(path: Path, queue: TaskQueue) -> None:
    async def double(claim: Claim, call_next: CallNext) -> Outcome:
        outcome = await call_next()
        return outcome._replace(value=CloudpickleSerializer().dumps(42))

    result = await run(path, queue, double)

    assert queue.deserialize_result(result) == 42


async def test_middleware_may_put_a_task_off(path: Path, queue: TaskQueue) -> None:
    refused: set[str] = set()

    async def later(claim: Claim, call_next: CallNext) -> Outcome:
        if claim.id in refused:
            return await call_next()
        refused.add(claim.id)
        raise Snooze(0.01)

    task = await queue.enqueue(echo, 1)
    async with Worker(path, middleware=[later]):
        assert await task == 1

    assert [attempt.cause for attempt in await queue.attempts(task)] == [Cause.SNOOZED, Cause.SUCCESS]


async def test_middleware_may_fail_a_task_for_good(path: Path, queue: TaskQueue) -> None:
    async def refuse(claim: Claim, call_next: CallNext) -> Outcome:
        raise Discard("not today")

    result = await run(path, queue, refuse, retry=5)

    assert (result.status, result.error, result.attempt) == (TaskStatus.FAILED, "Discard: not today", 1)


class BrokenError(BaseException):
    """Not even an `Exception`."""


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt, BrokenError])
@pytest.mark.parametrize("after", [False, True])
async def test_exception_in_middleware_is_the_attempts_failure(
    error: type[BaseException], after: bool, path: Path, queue: TaskQueue
) -> None:
    async def broken(claim: Claim, call_next: CallNext) -> Outcome:
        if after:
            await call_next()
        raise error("no")

    result = await run(path, queue, broken)

    assert result.status is TaskStatus.FAILED
    assert result.error == f"{error.__name__}: no"
    assert "in broken" in result.traceback
    assert "wrapping.py" not in result.traceback


async def test_exception_in_middleware_is_an_outcome_for_the_one_outside(path: Path, queue: TaskQueue) -> None:
    seen: list[Cause] = []

    async def watch(claim: Claim, call_next: CallNext) -> Outcome:
        outcome = await call_next()
        seen.append(outcome.cause)
        return outcome

    async def broken(claim: Claim, call_next: CallNext) -> Outcome:
        raise ValueError("no")

    await run(path, queue, watch, broken)

    assert seen == [Cause.ERROR]


async def test_exception_in_middleware_is_charged_to_the_retry_policy(path: Path, queue: TaskQueue) -> None:
    async def broken_at_first(claim: Claim, call_next: CallNext) -> Outcome:
        if claim.attempt < 3:
            raise ValueError("no")
        return await call_next()

    result = await run(path, queue, broken_at_first, retry=Retry(max_attempts=3, delay=0.0))

    assert (result.status, result.attempt) == (TaskStatus.SUCCESS, 3)


async def nothing(claim: Claim, call_next: CallNext) -> Any:
    await call_next()


async def another(claim: Claim, call_next: CallNext) -> Outcome:
    return (await call_next())._replace(id="another")


async def worthless(claim: Claim, call_next: CallNext) -> Outcome:
    return (await call_next())._replace(value=None)


async def endless(claim: Claim, call_next: CallNext) -> Outcome:
    return (await call_next())._replace(status=TaskStatus.RUNNING)


async def eager(claim: Claim, call_next: CallNext) -> Outcome:
    await call_next()
    return await call_next()


@pytest.mark.parametrize(
    ("middleware", "error"),
    [
        (nothing, "middleware nothing must return the attempt's outcome, got NoneType"),
        (another, "middleware another must return the attempt's outcome, got that of another attempt 1 in 'default'"),
        (worthless, "got status success with a value of type NoneType; bytes go with success"),
        (endless, "got one that is still running"),
        (eager, "call_next was called twice for"),
    ],
)
async def test_what_middleware_does_wrong_is_said_in_the_error(
    middleware: Middleware, error: str, path: Path, queue: TaskQueue
) -> None:
    result = await run(path, queue, middleware)

    assert result.status is TaskStatus.FAILED
    assert error in result.error


async def passes(claim: Claim, call_next: CallNext) -> Outcome:
    return await call_next()


@pytest.mark.parametrize("function", [hold, hold_thread])
async def test_cancelling_reaches_the_function(
    function: Callable[[Path], Any], path: Path, queue: TaskQueue, gate: Path
) -> None:
    async with Worker(path, middleware=[passes], grace=0):
        task = await queue.enqueue(function, gate)
        await until_begun(task)
        await queue.cancel(task)
        await until_status(queue, task, TaskStatus.CANCELLED)
    gate.touch()

    assert [attempt.cause for attempt in await queue.attempts(task)] == [Cause.CANCELLED]


@pytest.mark.parametrize("function", [hold, hold_thread])
async def test_timeout_reaches_the_function(
    function: Callable[[Path], Any], path: Path, queue: TaskQueue, gate: Path
) -> None:
    task = await queue.options(timeout=0.05).enqueue(function, gate)
    await drain(path, passes)
    gate.touch()

    assert [attempt.cause for attempt in await queue.attempts(task)] == [Cause.TIMEOUT]


async def test_timeout_does_not_bound_the_middleware(path: Path, queue: TaskQueue) -> None:
    async def slow(claim: Claim, call_next: CallNext) -> Outcome:
        await asyncio.sleep(0.1)
        return await call_next()

    assert (await run(path, queue, slow, timeout=0.05)).status is TaskStatus.SUCCESS


async def waits_before(claim: Claim, call_next: CallNext) -> Outcome:
    await asyncio.sleep(60)
    return await call_next()


async def waits_after(claim: Claim, call_next: CallNext) -> Outcome:
    outcome = await call_next()
    await asyncio.sleep(60)
    return outcome


async def test_cancelling_reaches_middleware_that_waits(path: Path, queue: TaskQueue) -> None:
    async with Worker(path, middleware=[passes, waits_before], grace=0):
        task = await queue.enqueue(echo, 1)
        await until_claimed(queue, task)
        await queue.cancel(task)
        await until_status(queue, task, TaskStatus.CANCELLED)


async def test_stop_gives_back_what_middleware_held_up(path: Path, queue: TaskQueue) -> None:
    async with Worker(path, middleware=[waits_before], grace=0):
        task = await queue.enqueue(echo, 1)
        await until_claimed(queue, task)

    assert await task.status() is TaskStatus.PENDING


async def test_stop_keeps_the_outcome_that_middleware_held_up(path: Path, queue: TaskQueue, gate: Path) -> None:
    async with Worker(path, middleware=[waits_after], grace=0):
        task = await queue.enqueue(gate.touch)
        await until(lambda: asyncio.to_thread(gate.exists))
        await asyncio.sleep(0.05)

    assert await task.status() is TaskStatus.SUCCESS


async def test_middleware_that_waits_no_longer_ends_the_attempt(path: Path, queue: TaskQueue, gate: Path) -> None:
    async def impatient(claim: Claim, call_next: CallNext) -> Outcome:
        return await asyncio.wait_for(call_next(), timeout=0.05)

    begun = time.monotonic()
    task = await queue.enqueue(hold, gate)
    await drain(path, impatient)

    assert (await result_of(queue, task)).error == "TimeoutError"
    assert time.monotonic() - begun < 5


async def test_middleware_does_not_lower_concurrency(path: Path, queue: TaskQueue) -> None:
    tasks = await queue.map(asyncio.sleep, [0.2] * 20)
    begun = time.monotonic()
    await Worker(path, max_concurrency=20, middleware=[passes, passes]).run_until_empty(timeout=10)

    assert time.monotonic() - begun < 2
    assert [await task.status() for task in tasks] == [TaskStatus.SUCCESS] * 20


class Object:
    """Middleware may be an object."""

    def __init__(self) -> None:
        self.calls = 0

    async def __call__(self, claim: Claim, call_next: CallNext) -> Outcome:
        self.calls += 1
        return await call_next()


async def test_middleware_may_be_an_object(path: Path, queue: TaskQueue) -> None:
    counting = Object()
    await run(path, queue, counting)

    assert counting.calls == 1


@pytest.mark.parametrize(
    ("middleware", "message"),
    [
        (passes, r"middleware must be a list such as \[Timing\(\)\], got <function passes"),
        ([Object], r"middleware must be made before it is used, such as Object\(\), got a class"),
        ([3], "middleware must be an async function or an object called like one, got 3"),
    ],
)
def test_what_cannot_be_middleware_is_refused(middleware: Any, message: str, path: Path) -> None:
    with pytest.raises(ValidationError, match=message):
        Worker(path, middleware=middleware)
