"""How tasks end on a NATS store: by an outcome, by a person, by time, or by what they needed."""

from collections.abc import Iterable, Mapping

from sitq.backends.moments import in_microseconds
from sitq.backends.nats.connection import Write
from sitq.backends.nats.records import Facts, Record, without
from sitq.backends.nats.store import OpenStore, Step
from sitq.core import Cause, OnFailure, Outcome, TaskStatus

_CANCELLED_BEFORE = "TaskCancelledError: it was cancelled before it started"
_EXPIRED = "TaskCancelledError: it did not start before it expired"
_BETWEEN = "TaskCancelledError: it was cancelled between two attempts"
_BAD = {TaskStatus.FAILED: "failed", TaskStatus.CANCELLED: "was cancelled"}


def _final(store: OpenStore, record: Record, facts: Facts, tail: bytes, *beside: Write) -> Step:
    """Make the step to a final record, noting when it may be purged."""
    facts["born"] = record.born
    if "retention" in facts:
        purge_at = facts["finished_at"] + in_microseconds(facts["retention"])
        beside = (*beside, Write(store.subjects.retained(facts), f"{purge_at} {record.id}".encode()))
    return Step(record, facts, tail, beside)


def by_outcome(store: OpenStore, record: Record, outcome: Outcome, *, ended_at: int | None = None) -> Step:
    """End a task with what its last attempt came to, now unless told; `started_at` becomes the true start."""
    now = store.clock.now() if ended_at is None else ended_at
    facts = without(record.facts, "cancel", "error", "traceback", "recorded")
    facts.update({"status": outcome.status.value, "cause": outcome.cause.value, "finished_at": now})
    facts["started_at"] = now - in_microseconds(outcome.duration)
    if outcome.error is not None:
        facts["error"] = outcome.error
    if outcome.traceback is not None:
        facts["traceback"] = outcome.traceback
    if outcome.value is None:
        return _final(store, record, facts, record.tail)
    facts["value"] = len(outcome.value)
    parts = store.long_bytes(record.id, f"value-{outcome.attempt}", outcome.value)
    if parts:
        facts["value_parts"] = len(parts)
        return _final(store, record, facts, record.tail, *parts)
    return _final(store, record, facts, record.tail + outcome.value)


def unrun(store: OpenStore, record: Record, error: str, *, fails: bool = False) -> Step:
    """End a pending task with a reason."""
    facts = without(record.facts, "cancel")
    facts.update(
        {
            "status": "failed" if fails else "cancelled",
            "cause": (Cause.ERROR if fails else Cause.CANCELLED).value,
            "error": error,
            "finished_at": store.clock.now(),
        }
    )
    return _final(store, record, facts, record.tail)


def cancelled(store: OpenStore, record: Record, *, by: str = _CANCELLED_BEFORE) -> Step:
    return unrun(store, record, by)


def expired(store: OpenStore, record: Record) -> Step:
    return unrun(store, record, _EXPIRED)


def remembered(store: OpenStore, record: Record, facts: Facts) -> Write:
    """Keep an attempt in the history; a later look at it depends on the record."""
    kept: Facts = {"attempt": record.facts["attempt"], "finished_at": facts["finished_at"]}
    for name in ("worker", "started_at", "cause", "error", "traceback"):
        if name in facts:
            kept[name] = facts[name]  # pyright: ignore[reportGeneralTypeIssues]  # one name has one type
    return store.history(record.id, kept)


def put_back(store: OpenStore, record: Record, outcome: Outcome) -> Step:
    """Make a running task pending again, and keep the attempt in its history unless it never began."""
    now = store.clock.now()
    facts = without(record.facts, "status", "worker", "term", "started_at", "cancel", "progress", "recorded", "cause")
    facts.update({"due_at": now + in_microseconds(outcome.delay), "born": record.born})
    if outcome.error is not None:
        facts["error"] = outcome.error
    if outcome.cause in (Cause.ERROR, Cause.TIMEOUT):
        facts["failures"] = facts.get("failures", 0) + 1
    if outcome.cause is Cause.LOST:
        facts["crashes"] = facts.get("crashes", 0) + 1
    beside: tuple[Write, ...] = ()
    if outcome.cause is not Cause.RELEASED or outcome.duration > 0:
        facts["recorded"] = True
        ended: Facts = {**record.facts, "finished_at": now, "cause": outcome.cause.value}
        for name, value in (("error", outcome.error), ("traceback", outcome.traceback)):
            if value is not None:
                ended[name] = value  # type: ignore[literal-required]
        beside = (remembered(store, record, ended),)
    if record.facts.get("cancel"):
        step = unrun(store, record._replace(facts={**record.facts, **facts}), _BETWEEN)
        return step._replace(record=record, beside=(*beside, *step.beside))
    return Step(record, facts, record.tail, beside)


def given_back(store: OpenStore, record: Record, cause: Cause, error: str | None) -> Step:
    """Make a task pending again whose worker has died or said goodbye."""
    outcome = Outcome(
        record.id, record.facts["attempt"], record.facts["queue"], TaskStatus.PENDING, cause, error=error, duration=1.0
    )
    step = put_back(store, record, outcome)
    step.facts["due_at"] = record.facts["due_at"]  # it keeps its place in the lane
    return step


def how(record: Record | None) -> str | None:
    """Say how a needed task ended badly; None when it succeeded or has not ended."""
    return "was deleted" if record is None else _BAD.get(record.status)


async def settle(store: OpenStore, ended: Mapping[str, str]) -> None:
    """End those that needed tasks which did not succeed and do not want to run without them, and so on along chains.

    Args:
        ended: how they ended, by id.
    """
    while ended:
        reasons = await _dependents(store, ended)
        records = await store.records(reasons)

        def decide(record: Record, reasons: Mapping[str, str] = reasons) -> Step | None:
            return by_need(store, record, reasons[record.id])

        reached = await store.change(records, decide)
        ended = {task_id: _BAD[record.status] for task_id, record in reached.items()}


async def _dependents(store: OpenStore, ended: Mapping[str, str]) -> dict[str, str]:
    """Tell who needs these tasks, and why it cannot run, by id."""
    reasons: dict[str, str] = {}
    for needed in ended:
        for message in await store.connection.scan_all(store.subjects.more(needed, "dependent", "*")):
            reasons.setdefault(message.body.decode(), f"task {needed}, which it needs, {ended[needed]}")
    return reasons


def by_need(store: OpenStore, record: Record, reason: str) -> Step | None:
    """End a pending task that needed one which did not succeed; None when it runs all the same or has moved on."""
    policy = record.facts.get("on_failure", OnFailure.CANCEL)
    if record.status is not TaskStatus.PENDING or policy == OnFailure.RUN:
        return None
    if policy == OnFailure.FAIL:
        return unrun(store, record, f"TaskExecutionError: {reason}", fails=True)
    return unrun(store, record, f"TaskCancelledError: {reason}")


def bad_ends(records: Iterable[Record]) -> dict[str, str]:
    """Tell which of these did not succeed, and how."""
    return {record.id: _BAD[record.status] for record in records if record.status in _BAD}


async def spoiled(store: OpenStore, records: Iterable[Record]) -> dict[str, str]:
    """Tell which of these pending tasks need one that has ended badly, and why they cannot run, by id."""
    careful = [record for record in records if record.waited and record.facts.get("on_failure") != OnFailure.RUN]
    needed = await store.records({task_id for record in careful for task_id in record.needs}) if careful else {}
    reasons = {}
    for record in careful:
        for task_id in record.needs:
            if (end := how(needed.get(task_id))) is not None:
                reasons[record.id] = f"task {task_id}, which it needs, {end}"
                break
    return reasons
