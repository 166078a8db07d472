"""The verbs of schedules on a NATS store: put, remove, pause, list, fire."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sitq.backends.moments import moment_at, optional, since_epoch
from sitq.backends.nats.answers import Found
from sitq.backends.nats.careful import Plan, plan
from sitq.backends.nats.connection import Write
from sitq.backends.nats.placing import know_lanes
from sitq.backends.nats.records import Facts
from sitq.backends.nats.shelf import Document
from sitq.backends.nats.store import TRIES, OpenStore, rest
from sitq.backends.nats.subjects import TOMBSTONE
from sitq.backends.schedules import due_among, new_task, options_of
from sitq.core import Task
from sitq.exceptions import BackendError
from sitq.recurring import DueSchedules, Firing, Schedule, ScheduleInfo


async def _read(store: OpenStore, name: str) -> Document | None:
    _, document = await _read_place(store, name)
    return document


async def _read_place(store: OpenStore, name: str) -> tuple[int, Document | None]:
    """Read a schedule, and the number that the next write follows; one that was removed leaves a number for a while."""
    found = await store.connection.read([store.subjects.schedule(name)])
    if not found:
        return 0, None
    return found[0].seq, _document(found[0]) if found[0].body else None


def _document(message: Found) -> Document:
    facts, _, payload = message.body.partition(b"\n")
    return Document(message.seq, json.loads(facts), payload)


def _write(store: OpenStore, facts: Mapping[str, Any], payload: bytes, seq: int) -> Write:
    return Write(store.subjects.schedule(facts["name"]), json.dumps(facts).encode() + b"\n" + payload, seq)


async def _change(
    store: OpenStore, name: str, decide: Callable[[Document | None], tuple[dict[str, Any], bytes] | None]
) -> dict[str, Any] | None:
    """Write a schedule as decided on what is stored; answers its new facts, or None where nothing was decided."""
    for attempt in range(TRIES):
        seq, document = await _read_place(store, name)
        decided = decide(document)
        if decided is None:
            return None
        facts, payload = decided
        if await store.write_document(_write(store, facts, payload, seq)):
            return facts
        await rest(attempt)
    raise BackendError(f"schedule {name!r} could not be written: others changed it {TRIES} times meanwhile")


async def put(store: OpenStore, schedule: Schedule) -> ScheduleInfo:
    await know_lanes(store, [schedule.task.queue])
    now = store.clock.now()

    def decide(before: Document | None) -> tuple[dict[str, Any], bytes]:
        facts = _facts(schedule, now)
        if before is not None:
            facts["paused"] = before.facts["paused"]
            if all(before.facts[name] == facts[name] for name in ("cron", "every", "timezone")):
                facts |= {name: before.facts[name] for name in ("last_at", "created_at")}
                facts["next_at"] = facts["next_at"] if before.facts["next_at"] is None else before.facts["next_at"]
        return facts, schedule.task.payload

    facts = await _change(store, schedule.name, decide)
    assert facts is not None
    return _info(facts)


def _facts(schedule: Schedule, now: int) -> dict[str, Any]:
    task = schedule.task
    return {
        "name": schedule.name,
        "cron": schedule.cron,
        "every": schedule.every,
        "timezone": schedule.timezone,
        "catch_up": schedule.catch_up,
        "task_name": task.name,
        "queue": task.queue,
        "options": options_of(task),
        "paused": False,
        "next_at": optional(since_epoch, schedule.next_at),
        "last_at": None,
        "created_at": now,
    }


async def remove(store: OpenStore, name: str) -> bool:
    for attempt in range(TRIES):
        document = await _read(store, name)
        if document is None:
            return False
        if await store.write_document(Write(store.subjects.schedule(name), b"", document.seq, ttl=TOMBSTONE)):
            return True
        await rest(attempt)
    raise BackendError(f"schedule {name!r} could not be removed: others changed it {TRIES} times meanwhile")


async def set_paused(store: OpenStore, name: str, paused: bool, next_at: datetime | None) -> bool:
    def decide(document: Document | None) -> tuple[dict[str, Any], bytes] | None:
        if document is None:
            return None
        goes_on = document.facts["paused"] and not paused
        moment = optional(since_epoch, next_at) if goes_on else document.facts["next_at"]
        return {**document.facts, "paused": paused, "next_at": moment}, document.tail

    return await _change(store, name, decide) is not None


async def _read_all(store: OpenStore) -> list[Document]:
    found = await store.connection.scan_all(store.subjects.schedules)
    documents = [_document(message) for message in found if message.body]
    return sorted(documents, key=lambda document: str(document.facts["name"]))


async def list_all(store: OpenStore) -> list[ScheduleInfo]:
    return [_info(document.facts) for document in await _read_all(store)]


async def stored_schedules(store: OpenStore) -> list[Schedule]:
    return [_schedule(document) for document in await _read_all(store)]


def _schedule(document: Document) -> Schedule:
    facts = document.facts
    return Schedule(
        name=facts["name"],
        task=_task(document),
        cron=facts["cron"],
        every=facts["every"],
        timezone=facts["timezone"],
        catch_up=facts["catch_up"],
        next_at=optional(moment_at, facts["next_at"]),
    )


async def due(store: OpenStore) -> DueSchedules:
    shelf = await store.replica.load()
    known = [_info(document.facts) for document in shelf.documents["schedule"].values()]
    return due_among(known, moment_at(store.clock.now()))


def _info(facts: Mapping[str, Any]) -> ScheduleInfo:
    return ScheduleInfo(
        name=facts["name"],
        cron=facts["cron"],
        every=facts["every"],
        timezone=facts["timezone"],
        catch_up=facts["catch_up"],
        task_name=facts["task_name"],
        queue=facts["queue"],
        created_at=moment_at(facts["created_at"]),
        arguments=facts["options"].get("arguments"),
        paused=facts["paused"],
        next_at=optional(moment_at, facts["next_at"]),
        last_at=optional(moment_at, facts["last_at"]),
    )


async def fire(store: OpenStore, firing: Firing) -> list[str] | None:
    """Store the tasks of a firing and move its schedule on, in one transaction."""
    for attempt in range(TRIES):
        document = await _read(store, firing.schedule)
        due_at = since_epoch(firing.due_at)
        if document is None or document.facts["paused"] or document.facts["next_at"] != due_at:
            return None
        tasks = [_task(document) for _ in firing.occurrences]
        decided = await _plan(store, document, tasks, firing.occurrences, forgiving=True)
        moved = _write(store, _moved_on(store, document, firing), document.tail, document.seq)
        if await decided.write(moved):
            return decided.new
        await rest(attempt)
    raise BackendError(f"schedule {firing.schedule!r} could not fire: others changed it {TRIES} times meanwhile")


def _moved_on(store: OpenStore, document: Document, firing: Firing) -> dict[str, Any]:
    last_at = document.facts["last_at"]
    if firing.occurrences:
        last_at = since_epoch(firing.occurrences[-1])
    elif last_at is not None:  # a moment that lies ahead was made by a clock that was wrong
        last_at = min(last_at, store.clock.now())
    return {**document.facts, "next_at": optional(since_epoch, firing.next_at), "last_at": last_at}


async def _plan(
    store: OpenStore,
    document: Document,
    tasks: list[Task],
    occurrences: tuple[datetime, ...],
    *,
    forgiving: bool = False,
) -> Plan:
    await know_lanes(store, [document.facts["queue"]])
    more: dict[str, Facts] = {
        task.id: {"schedule": document.facts["name"], "scheduled_at": since_epoch(occurrence)}
        for task, occurrence in zip(tasks, occurrences, strict=True)
    }
    return await plan(store, tasks, more=more, forgiving=forgiving)


def _task(document: Document) -> Task:
    facts = document.facts
    return new_task(facts["name"], facts["task_name"], facts["queue"], facts["options"], document.tail)


async def run_now(store: OpenStore, name: str) -> str | None:
    for attempt in range(TRIES):
        document = await _read(store, name)
        if document is None:
            return None
        decided = await _plan(store, document, [_task(document)], (moment_at(store.clock.now()),))
        if not decided.new or await decided.write():
            return decided.ids[0]
        await rest(attempt)
    raise BackendError(f"schedule {name!r} could not run: what it depends on changed {TRIES} times meanwhile")
