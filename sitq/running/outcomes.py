"""What an attempt came to: one outcome for each way in which it can end."""

import time

from sitq.core import Cause, Claim, Outcome, TaskStatus
from sitq.retry import Retry, RetryAfter, Snooze
from sitq.running.tracebacks import lines_of
from sitq.sanitize import storable

# Modules whose frames mean nothing to users.
_RUNNERS = ("sitq.running.attempts", "sitq.running.wrapping", "sitq.running.child")
_LONGEST_TRACEBACK = 100_000  # characters; a message may be as long as memory


def success(claim: Claim, value: bytes, begun: float) -> Outcome:
    """Judge an attempt that returned."""
    return Outcome(
        id=claim.id,
        attempt=claim.attempt,
        queue=claim.queue,
        status=TaskStatus.SUCCESS,
        cause=Cause.SUCCESS,
        value=value,
        duration=time.monotonic() - begun,
    )


def failure(claim: Claim, exc: BaseException, begun: float, retry: Retry | None = None) -> Outcome:
    """Judge an exception of user code: the end of the task, or of one attempt if its policy has another."""
    if isinstance(exc, Snooze):
        return stopped(claim, Cause.SNOOZED, begun, delay=exc.delay)
    if retry is None and isinstance(exc, RetryAfter):
        retry = Retry()
    wait = None if retry is None else retry.wait_after(claim.failures + 1, exc)
    return _charged(claim, begun, wait, cause=Cause.ERROR, error=one_line(exc), traceback=_traceback_of(exc))


def timed_out(claim: Claim, begun: float, wait: float | None) -> Outcome:
    """Judge an attempt that ran longer than it may.

    Args:
        wait: seconds until the next attempt; None when there is none.
    """
    error = f"TaskTimeoutError: it ran longer than its timeout of {claim.timeout:g} s"
    return _charged(claim, begun, wait, cause=Cause.TIMEOUT, error=error)


def died(claim: Claim, begun: float, wait: float | None, *, how: str, traceback: str | None) -> Outcome:
    """Judge an attempt that took its child process down with it.

    Args:
        wait: seconds until the next attempt; None when there is none.
        how: what became of the process, as in "ended with exit code 3".
        traceback: what Python wrote as it fell, if it did.
    """
    error = f"TaskLostError: its process {how}"
    return _charged(claim, begun, wait, cause=Cause.ERROR, error=error, traceback=traceback)


def _charged(
    claim: Claim, begun: float, wait: float | None, *, cause: Cause, error: str, traceback: str | None = None
) -> Outcome:
    """Make the outcome of an attempt that counts as a failure: the end of the task, or of one attempt if others may."""
    return Outcome(
        id=claim.id,
        attempt=claim.attempt,
        queue=claim.queue,
        status=TaskStatus.FAILED if wait is None else TaskStatus.PENDING,
        cause=cause,
        error=error,
        traceback=traceback,
        delay=wait or 0.0,
        duration=time.monotonic() - begun,
    )


def wait_after_timeout(claim: Claim, retry: Retry | None) -> float | None:
    """Seconds until the next attempt if this one runs out of time; None when there is none."""
    return None if retry is None else retry.wait_after(claim.failures + 1)


def stopped(claim: Claim, cause: Cause, begun: float | None = None, *, delay: float = 0.0) -> Outcome:
    """Judge an attempt that was cancelled, snoozed or is given back for another worker to run.

    Args:
        begun: `time.monotonic()` at its begin; None if it never began.
        delay: seconds until it is due again.
    """
    cancelled = cause is Cause.CANCELLED
    return Outcome(
        id=claim.id,
        attempt=claim.attempt,
        queue=claim.queue,
        status=TaskStatus.CANCELLED if cancelled else TaskStatus.PENDING,
        cause=cause,
        error="TaskCancelledError: it was cancelled while running" if cancelled else None,
        delay=delay,
        duration=0.0 if begun is None else time.monotonic() - begun,
    )


def lost(claim: Claim) -> Outcome:
    """Judge a task that has killed its worker as often as it may, without running it."""
    return Outcome(
        id=claim.id,
        attempt=claim.attempt,
        queue=claim.queue,
        status=TaskStatus.FAILED,
        cause=Cause.LOST,
        error=f"TaskLostError: its worker died {claim.crashes} times while running it",
    )


def one_line(exc: BaseException) -> str:
    """Write an exception as "ValueError: first line of its message", at most 1000 characters."""
    try:
        text = str(exc)
    except Exception:
        text = "(its message cannot be shown)"
    name = type(exc).__qualname__
    first = storable(text.strip().partition("\n")[0][:1000])
    return f"{name}: {first}" if first else name


def _traceback_of(exc: BaseException) -> str:
    """Write the traceback from the first frame of user code on; the frames before are the runner's own."""
    inner = exc.__traceback__
    while inner is not None and inner.tb_frame.f_globals.get("__name__") in _RUNNERS:
        inner = inner.tb_next
    try:
        text = storable("".join(lines_of(exc, inner)))
    except Exception:
        return f"{type(exc).__qualname__} (its traceback cannot be shown)\n"
    if len(text) <= _LONGEST_TRACEBACK:
        return text
    half = _LONGEST_TRACEBACK // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"
