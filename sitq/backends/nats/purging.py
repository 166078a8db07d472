"""Removing tasks of a NATS store whose retention is over, in slices."""

import asyncio
from collections.abc import Collection, Sequence

from sitq.backends.nats.records import Record, decoded
from sitq.backends.nats.store import Store
from sitq.backends.nats.tasks import delete_records, forget
from sitq.core import FINAL, TaskStatus

_BATCH = 500
_LOOKED_AT = 4000  # notes of retention that are looked at in one call


async def purge(store: Store, older_than: float | None, statuses: Collection[TaskStatus] | None, limit: int) -> int:
    wanted = FINAL if statuses is None else {TaskStatus(status) for status in statuses}
    records = await (_over(store, wanted, limit) if older_than is None else _older(store, older_than, wanted, limit))
    if not records:
        return 0
    needed = await _needed(store)
    going = [record for record in records if record.id not in needed][:limit]
    collided = await delete_records(store, going)
    gone = [record for record in going if record.id not in collided]
    await forget(store, [record.id for record in gone])
    notes = [store.subjects.retained(record.facts) for record in gone if "retention" in record.facts]
    await asyncio.gather(*map(store.purge, notes))
    return len(gone)


async def _needed(store: Store) -> set[str]:
    """Tell what unfinished tasks need."""
    shelf = await store.replica.catch_up()
    return {needed for record in shelf.open.values() if record.waited for needed in record.needs}


async def _older(store: Store, seconds: float, wanted: Collection[TaskStatus], limit: int) -> list[Record]:
    """Find what ended long ago: ends stand in the stream in their order."""
    moment = store.clock.now() - round(seconds * 1_000_000)
    found: list[Record] = []
    for status in wanted:
        start = 1
        while len(found) < 2 * limit:
            batch = await store.connection.scan(store.subjects.ended(status), start=start, batch=_BATCH)
            records = [decoded(message.seq, message.body) for message in batch]
            found += (record for record in records if record.facts["finished_at"] <= moment)
            if len(batch) < _BATCH or records[-1].facts["finished_at"] > moment:
                break
            start = batch[-1].seq + 1
    return found


async def _over(store: Store, wanted: Collection[TaskStatus], limit: int) -> list[Record]:
    """Find what a note says is over, going on where the last look ended, round and round."""
    start, due = store.purged_up_to + 1, list[str]()
    now = store.clock.now()
    for _ in range(_LOOKED_AT // _BATCH):
        batch = await store.connection.scan(store.subjects.retained_of("*"), start=start, batch=_BATCH)
        due += (task_id for message in batch for task_id in _due(message.body, now))
        start = batch[-1].seq + 1 if len(batch) == _BATCH else 1
        if start == 1 or len(due) >= limit:
            break
    store.purged_up_to = start - 1 if len(due) < limit else store.purged_up_to
    records = (await store.records(due)).values() if due else ()
    return [record for record in records if record.status in wanted and _is_over(record, now)]


def _due(note: bytes, now: int) -> Sequence[str]:
    purge_at, _, task_id = note.decode().partition(" ")
    return (task_id,) if int(purge_at) <= now else ()


def _is_over(record: Record, now: int) -> bool:
    facts = record.facts
    return "retention" in facts and facts["finished_at"] + facts["retention"] * 1_000_000 <= now
