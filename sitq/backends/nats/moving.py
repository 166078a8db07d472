"""What moves between stores: tasks that ended in another one come in."""

from collections.abc import Sequence

from sitq.backends.moments import since_epoch
from sitq.backends.nats import endings
from sitq.backends.nats.placing import first_step, know_lanes
from sitq.backends.nats.store import OpenStore, Step
from sitq.backends.states import CAUSE_OF
from sitq.core import Outcome, Result, Task

_WIDEST = 500


async def restore(store: OpenStore, ended: Sequence[tuple[Task, Result]]) -> set[str]:
    """Store tasks with what they came to, each for itself, and tell the ids that are new."""
    await know_lanes(store, {task.queue for task, _ in ended})
    new: set[str] = set()
    for start in range(0, len(ended), _WIDEST):
        steps = [_step(store, task, result) for task, result in ended[start : start + _WIDEST]]
        new |= {record.id for record in await store.take(steps) if record is not None}
    return new


def _step(store: OpenStore, task: Task, result: Result) -> Step:
    """Make the step from nothing to a task that has ended, with its bytes."""
    born = first_step(store, task)
    outcome = Outcome(
        task.id,
        result.attempt,
        task.queue,
        result.status,
        CAUSE_OF[result.status],
        value=result.value,
        error=result.error,
        traceback=result.traceback,
    )
    record = born.record._replace(facts={**born.facts, "attempt": result.attempt}, tail=born.tail)
    step = endings.by_outcome(store, record, outcome, ended_at=_ended_at(store, result))
    facts = step.facts
    facts["enqueued_at"] = facts["finished_at"] if result.enqueued_at is None else since_epoch(result.enqueued_at)
    facts.pop("born", None)
    facts.pop("started_at", None)
    if result.started_at is not None:
        facts["started_at"] = since_epoch(result.started_at)
    if not result.attempt:
        del facts["attempt"]
    return step._replace(facts=facts, beside=(*born.beside, *step.beside))


def _ended_at(store: OpenStore, result: Result) -> int:
    return store.clock.now() if result.finished_at is None else since_epoch(result.finished_at)
