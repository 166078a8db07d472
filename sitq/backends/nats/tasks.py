"""The verbs of producers and people on a NATS store: enqueue, cancel, requeue, run now, delete, pause."""

import asyncio
from collections.abc import Collection, Sequence

from sitq.backends.nats import endings
from sitq.backends.nats.careful import place_carefully, read_keys
from sitq.backends.nats.errors import CollisionError
from sitq.backends.nats.placing import (
    TOGETHER,
    know_lanes,
    lane_write,
    place_one,
    place_together,
    write_together,
)
from sitq.backends.nats.records import Facts, Record, without
from sitq.backends.nats.store import TRIES, OpenStore, Step, rest
from sitq.core import Task, TaskStatus
from sitq.exceptions import BackendError


async def enqueue(store: OpenStore, tasks: Sequence[Task]) -> list[str]:
    """Store tasks; those of one call go together, up to 1,000, a single one without the price of a transaction."""
    await know_lanes(store, {task.queue for task in tasks})
    if any(task.key is not None or task.needs or task.after for task in tasks):
        return await place_carefully(store, tasks)
    if len(tasks) == 1:
        await place_one(store, tasks[0])
    else:
        distinct = list({task.id: task for task in reversed(tasks)}.values())[::-1]
        for start in range(0, len(distinct), TOGETHER):
            await place_together(store, distinct[start : start + TOGETHER])
    return [task.id for task in tasks]


_WIDEST = 500  # deletions in one trip


async def cancel(store: OpenStore, ids: Collection[str]) -> set[str]:
    def decide(record: Record) -> Step | None:
        if record.is_final:
            return None
        if record.status is TaskStatus.PENDING:
            return endings.cancelled(store, record)
        facts: Facts = {**record.facts, "cancel": True, "born": record.born}
        return Step(record, facts, record.tail)

    reached = await store.change(await store.records(ids), decide)
    await endings.settle(store, endings.bad_ends(reached.values()))
    return set(reached)


_OF_THE_LAST_RUN = (
    "status", "cause", "error", "traceback", "worker", "term", "started_at", "finished_at", "failures", "crashes",
    "cancel", "recorded", "progress", "expires", "expires_at", "value", "value_parts",
)  # fmt: skip


def again(store: OpenStore, record: Record) -> Step | None:
    """Make a task that failed or was cancelled due now, with fresh budgets."""
    if record.status not in (TaskStatus.FAILED, TaskStatus.CANCELLED):
        return None
    facts = without(record.facts, *_OF_THE_LAST_RUN)
    facts.update({"due_at": store.clock.now(), "born": record.born})
    tail = record.tail[: facts["payload"]] if "parts" not in facts else b""
    if "attempt" not in facts:
        return Step(record, facts, tail)
    facts["recorded"] = True
    history = () if record.facts.get("recorded") else (endings.remembered(store, record, record.facts),)
    return Step(record, facts, tail, history)


async def requeue(store: OpenStore, ids: Collection[str]) -> set[str]:
    records = await store.records(ids)
    plain = {task_id: record for task_id, record in records.items() if "key" not in record.facts}
    reached = set(await store.change(plain, lambda record: again(store, record)))
    for record in records.values():
        if "key" in record.facts and await _requeue_with_key(store, record):
            reached.add(record.id)
    return reached


async def _requeue_with_key(store: OpenStore, record: Record) -> bool:
    """Requeue a task if nobody else holds its key, in one transaction with taking it."""
    for attempt in range(TRIES):
        step = again(store, record)
        (key,) = (await read_keys(store, [record.facts["key"]])).values()
        if step is None or (key.holder is not None and key.holder.id != record.id):
            return False
        if await write_together(store, [step], [key.given_to(record.id)]):
            return True
        await rest(attempt)
        found = (await store.records([record.id])).get(record.id)
        if found is None:
            return False
        record = found
    raise BackendError(f"task {record.id} could not be requeued: its key changed hands {TRIES} times")


async def run_now(store: OpenStore, ids: Collection[str]) -> set[str]:
    await store.replica.load()  # which knows what still waits for others
    now = store.clock.now()

    def decide(record: Record) -> Step | None:
        is_ahead = record.status is TaskStatus.PENDING and record.facts["due_at"] > now
        if not is_ahead or (record.waited and store.replica.shelf.waiting_for(record)):
            return None
        return Step(record, {**record.facts, "due_at": now, "born": record.born}, record.tail)

    return set(await store.change(await store.records(ids), decide))


async def delete(store: OpenStore, ids: Collection[str]) -> set[str]:
    records = list((await store.records(ids)).values())
    reached: set[str] = set()
    ended: dict[str, str] = {}
    for attempt in range(TRIES):
        deletable = [record for record in records if record.status is not TaskStatus.RUNNING]
        collided = await delete_records(store, deletable)
        reached |= {record.id for record in deletable} - collided
        ended |= {record.id: "was deleted" for record in deletable if record.id in reached and not record.is_final}
        if not collided:
            break
        await rest(attempt)
        records = list((await store.records(collided)).values())
    await endings.settle(store, ended)
    await forget(store, reached)
    return reached


async def delete_records(store: OpenStore, records: Sequence[Record]) -> set[str]:
    """Take records away; answers the ids of those that have changed meanwhile."""
    collided: set[str] = set()
    for start in range(0, len(records), _WIDEST):
        slice_ = records[start : start + _WIDEST]
        ended = [record for record in slice_ if record.is_final]
        gone = await asyncio.gather(*(store.erase(record.seq) for record in ended))
        collided |= {record.id for record, erased in zip(ended, gone, strict=True) if not erased}
        collided |= await _delete_open(store, [record for record in slice_ if not record.is_final])
    return collided


async def _delete_open(store: OpenStore, records: Sequence[Record]) -> set[str]:
    collided: set[str] = set()
    graves = [
        store.subjects.tombstone(record)._replace(within=store.subjects.fence(record.facts)) for record in records
    ]
    for record, answer in zip(records, await store.connection.write(graves), strict=True):
        if isinstance(answer, CollisionError):
            collided.add(record.id)
        elif isinstance(answer, Exception):
            raise answer
        else:
            store.replica.ended(record, answer)
            if "key" in record.facts:
                await store.free(record.facts["key"], answer)
    return collided


async def forget(store: OpenStore, ids: Collection[str]) -> None:
    """Remove what stands beside the records of deleted tasks."""
    subjects = [store.subjects.more(task_id, ">") for task_id in ids]
    for start in range(0, len(subjects), _WIDEST):
        await asyncio.gather(*map(store.purge, subjects[start : start + _WIDEST]))


async def set_paused(store: OpenStore, queue: str, paused: bool) -> None:
    for attempt in range(TRIES):
        found = await store.connection.read([store.subjects.lane(queue)])
        seq = found[0].seq if found else 0
        if await store.write_document(lane_write(store, queue, {"queue": queue, "paused": paused}, seq)):
            store.known_lanes.add(queue)
            return
        await rest(attempt)
    raise BackendError(f"lane {queue!r} could not be paused or resumed: others did so {TRIES} times meanwhile")
