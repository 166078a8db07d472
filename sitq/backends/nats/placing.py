"""How tasks come into a NATS store: one at a time, or all or none, each at a place that nobody holds."""

import json
from collections.abc import Collection, Sequence
from typing import Any

from sitq.backends.nats.connection import Write
from sitq.backends.nats.errors import CollisionError
from sitq.backends.nats.records import Record, new_facts
from sitq.backends.nats.store import TRIES, OpenStore, Step, rest
from sitq.core import Task
from sitq.exceptions import BackendError

TOGETHER = 1000  # messages that the server takes in one transaction


def first_step(store: OpenStore, task: Task, seq: int = 0) -> Step:
    """Make the step from nothing, or from a deleted task's tombstone, to a new task."""
    facts = new_facts(task, store.clock.now())
    facts["payload"] = len(task.payload)
    parts = tuple(store.long_bytes(task.id, "payload", task.payload))
    if parts:
        facts["parts"] = len(parts)
    return Step(Record(seq, facts, b""), facts, b"" if parts else task.payload, parts)


async def know_lanes(store: OpenStore, queues: Collection[str]) -> None:
    """Note lanes that are new here, so that they can be counted."""
    fresh = [queue for queue in queues if queue not in store.known_lanes]
    if not fresh:
        return
    writes = [lane_write(store, queue, {"queue": queue}, 0) for queue in fresh]
    for write, answer in zip(writes, await store.connection.write(writes), strict=True):
        if isinstance(answer, int):
            store.replica.wrote(write, answer)
        elif not isinstance(answer, CollisionError):
            raise answer
    store.known_lanes.update(fresh)


def lane_write(store: OpenStore, queue: str, facts: dict[str, Any], seq: int) -> Write:
    return Write(store.subjects.lane(queue), json.dumps(facts).encode(), seq)


async def place_one(store: OpenStore, task: Task) -> None:
    seq = 0
    for attempt in range(TRIES):
        if (await store.take([first_step(store, task, seq)]))[0] is not None:
            return
        place = (await store.places([task.id])).get(task.id)
        if place is not None and place.record is not None:
            return  # the id exists, and is left as it is
        seq = place.seq if place is not None else 0
        await rest(attempt)
    raise BackendError(f"task {task.id} could not be stored: its place changed {TRIES} times")


async def place_together(store: OpenStore, tasks: Sequence[Task]) -> None:
    seqs: dict[str, int] = {}
    for attempt in range(TRIES):
        steps = [first_step(store, task, seqs.get(task.id, 0)) for task in tasks]
        if not steps or await write_together(store, steps):
            return
        found = await store.places([task.id for task in tasks])
        tasks = [task for task in tasks if task.id not in found or found[task.id].record is None]
        seqs = {task_id: place.seq for task_id, place in found.items()}
        await rest(attempt)
    raise BackendError(f"{len(tasks)} tasks could not be stored: their places changed {TRIES} times")


async def write_together(
    store: OpenStore, steps: Sequence[Step], others: Sequence[Write] = (), *, before: Sequence[Step] = ()
) -> bool:
    """Make transitions all or none, with other messages; False when something collides.

    Args:
        before: transitions whose messages come before the others.
    """
    await write_beside(store, [*before, *steps])
    writes = [*map(store.write_of, before), *others, *map(store.write_of, steps)]
    try:
        last = await store.connection.write_together(writes)
    except CollisionError:
        return False
    first = last - len(writes) + 1
    seqs = [*range(first, first + len(before)), *range(last - len(steps) + 1, last + 1)]
    made = [*before, *steps]
    records = [Record(seq, step.facts, step.tail) for seq, step in zip(seqs, made, strict=True)]
    for step, record in zip(made, records, strict=True):
        store.note(step.record, record)
    await store.tidy_up(made, records)
    return True


async def write_beside(store: OpenStore, steps: Sequence[Step]) -> None:
    beside = [write for step in steps for write in step.beside]
    for start in range(0, len(beside), TOGETHER):
        for answer in await store.connection.write(beside[start : start + TOGETHER]):
            if isinstance(answer, Exception):
                raise answer
