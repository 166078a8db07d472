"""Removing tasks of a NATS store whose retention is over, in slices."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from sitq.backends.moments import in_microseconds
from sitq.backends.nats.answers import Found
from sitq.backends.nats.records import Record, decoded
from sitq.backends.nats.store import OpenStore
from sitq.backends.nats.tasks import delete_records, forget
from sitq.core import FINAL, TaskStatus

_BATCH = 500
_FRESH = 60_000_000  # microseconds
_LOOKED_AT = 4000  # notes of retention that are looked at in one call


async def purge(store: OpenStore, older_than: float | None, statuses: Collection[TaskStatus] | None, limit: int) -> int:
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


async def _needed(store: OpenStore) -> set[str]:
    """Tell what unfinished tasks need."""
    shelf = await store.replica.catch_up()
    return {needed for record in shelf.open.values() if record.waited for needed in record.needs}


async def _older(store: OpenStore, seconds: float, wanted: Collection[TaskStatus], limit: int) -> list[Record]:
    """Find what ended long ago: ends stand in the stream in their order."""
    moment = store.clock.now() - in_microseconds(seconds)
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


class _Note(NamedTuple):
    """Says when a task may be purged that ended with a status; it may have been requeued or deleted since."""

    seq: int
    task_id: str
    status: str
    purge_at: int


async def _over(store: OpenStore, wanted: Collection[TaskStatus], limit: int) -> list[Record]:
    """Find what a note says is over, going on where the last look ended, round and round."""
    start, due = store.purged_up_to + 1, list[_Note]()
    now = store.clock.now()
    for _ in range(_LOOKED_AT // _BATCH):
        batch = await store.connection.scan(store.subjects.retained_of("*"), start=start, batch=_BATCH)
        due += (note for note in map(_note, batch) if note.purge_at <= now)
        start = batch[-1].seq + 1 if len(batch) == _BATCH else 1
        if start == 1 or len(due) >= limit:
            break
    store.purged_up_to = start - 1 if len(due) < limit else store.purged_up_to
    records = await store.records({note.task_id for note in due}) if due else {}
    await _drop_void(store, due, records, now)
    return [record for record in records.values() if record.status in wanted and _is_over(record, now)]


def _note(message: Found) -> _Note:
    purge_at, _, task_id = message.body.decode().partition(" ")
    return _Note(message.seq, task_id, message.subject.rpartition(".")[2], int(purge_at))


async def _drop_void(store: OpenStore, notes: Sequence[_Note], records: Mapping[str, Record], now: int) -> None:
    """Remove notes of tasks that were requeued or deleted; not fresh ones, whose end may be on its way."""
    old = (note for note in notes if note.purge_at < now - _FRESH)
    void = [note.seq for note in old if _status_of(records.get(note.task_id)) != note.status]
    await asyncio.gather(*map(store.erase, void))


def _status_of(record: Record | None) -> str | None:
    return None if record is None else record.status.value


def _is_over(record: Record, now: int) -> bool:
    facts = record.facts
    return "retention" in facts and facts["finished_at"] + facts["retention"] * 1_000_000 <= now
