"""The verbs of schedules on a NATS store: put, remove, pause, list, fire."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from sitq.backends.nats.answers import Found
from sitq.backends.nats.careful import Plan, plan
from sitq.backends.nats.connection import Write
from sitq.backends.nats.errors import CollisionError
from sitq.backends.nats.placing import know_lanes
from sitq.backends.nats.records import Facts, instant, microseconds, optional_instant
from sitq.backends.nats.shelf import Document
from sitq.backends.nats.store import Store, rest
from sitq.core import Task, new_task_id
from sitq.exceptions import BackendError, ConfigurationError
from sitq.recurring import DueSchedules, Firing, Schedule, ScheduleInfo

_TRIES = 50
_SECOND, _HOUR = 1_000_000, 3_600_000_000

# What a task has beside its name, lane and bytes; a schedule decides when it is due.
_DEFAULTS = {name: default for name, default in Task._field_defaults.items() if name not in ("queue", "eta", "delay")}


async def _read(store: Store, name: str) -> Document | None:
    _, document = await _read_place(store, name)
    return document


async def _read_place(store: Store, name: str) -> tuple[int, Document | None]:
    """Read a schedule, and the number that the next write follows; one that was removed leaves a number for a while."""
    found = await store.connection.read([store.subjects.schedule(name)])
    if not found:
        return 0, None
    return found[0].seq, _document(found[0]) if found[0].body else None


def _document(message: Found) -> Document:
    facts, _, payload = message.body.partition(b"\n")
    return Document(message.seq, json.loads(facts), payload)


def _write(store: Store, facts: Mapping[str, Any], payload: bytes, seq: int) -> Write:
    return Write(store.subjects.schedule(facts["name"]), json.dumps(facts).encode() + b"\n" + payload, seq)


async def _change(
    store: Store, name: str, decide: Callable[[Document | None], tuple[dict[str, Any], bytes] | None]
) -> dict[str, Any] | None:
    """Write a schedule as decided on what is stored; answers its new facts, or None where nothing was decided."""
    for attempt in range(_TRIES):
        seq, document = await _read_place(store, name)
        decided = decide(document)
        if decided is None:
            return None
        facts, payload = decided
        write = _write(store, facts, payload, seq)
        (answer,) = await store.connection.write([write])
        if isinstance(answer, int):
            store.replica.wrote(write, answer)
            return facts
        if not isinstance(answer, CollisionError):
            raise answer
        await rest(attempt)
    raise BackendError(f"schedule {name!r} could not be written: others changed it {_TRIES} times meanwhile")


async def put(store: Store, schedule: Schedule) -> ScheduleInfo:
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
    values = {name: getattr(task, name) for name in _DEFAULTS}
    return {
        "name": schedule.name,
        "cron": schedule.cron,
        "every": schedule.every,
        "timezone": schedule.timezone,
        "catch_up": schedule.catch_up,
        "task_name": task.name,
        "queue": task.queue,
        "options": {name: value for name, value in values.items() if value != _DEFAULTS[name]},
        "paused": False,
        "next_at": _optional(schedule.next_at),
        "last_at": None,
        "created_at": now,
    }


def _optional(moment: datetime | None) -> int | None:
    return None if moment is None else microseconds(moment)


async def remove(store: Store, name: str) -> bool:
    for attempt in range(_TRIES):
        document = await _read(store, name)
        if document is None:
            return False
        grave = Write(store.subjects.schedule(name), b"", document.seq, ttl=10)
        (answer,) = await store.connection.write([grave])
        if isinstance(answer, int):
            store.replica.wrote(grave, answer)
            return True
        if not isinstance(answer, CollisionError):
            raise answer
        await rest(attempt)
    raise BackendError(f"schedule {name!r} could not be removed: others changed it {_TRIES} times meanwhile")


async def set_paused(store: Store, name: str, paused: bool, next_at: datetime | None) -> bool:
    def decide(document: Document | None) -> tuple[dict[str, Any], bytes] | None:
        if document is None:
            return None
        goes_on = document.facts["paused"] and not paused
        moment = _optional(next_at) if goes_on else document.facts["next_at"]
        return {**document.facts, "paused": paused, "next_at": moment}, document.tail

    return await _change(store, name, decide) is not None


async def _read_all(store: Store) -> list[Document]:
    found = await store.connection.scan_all(store.subjects.schedules)
    documents = [_document(message) for message in found if message.body]
    return sorted(documents, key=lambda document: str(document.facts["name"]))


async def list_all(store: Store) -> list[ScheduleInfo]:
    return [_info(document.facts) for document in await _read_all(store)]


async def stored(store: Store) -> list[Schedule]:
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
        next_at=optional_instant(facts["next_at"]),
    )


async def due(store: Store) -> DueSchedules:
    shelf = await store.replica.load()
    now = store.clock.now()
    active = [document.facts for document in shelf.documents["schedule"].values() if not document.facts["paused"]]
    active = [facts for facts in active if facts["next_at"] is not None]
    ripe = sorted(
        (facts for facts in active if _is_due(facts, now)), key=lambda facts: (facts["next_at"], facts["name"])
    )
    ahead = [facts["next_at"] for facts in active if facts["next_at"] > now]
    next_in = (min(ahead) - now) / 1_000_000 if ahead else None
    return DueSchedules(instant(now), tuple(map(_info, ripe)), next_in)


def _is_due(facts: Mapping[str, Any], now: int) -> bool:
    """Tell what is due, or was planned before the clock was set back: more than an interval ahead, or fired ahead."""
    if facts["next_at"] <= now:
        return True
    if facts["every"] is not None:
        return bool(facts["next_at"] > now + facts["every"] * 1_000_000 + _SECOND)
    return facts["last_at"] is not None and bool(facts["last_at"] > now + _HOUR)


def _info(facts: Mapping[str, Any]) -> ScheduleInfo:
    return ScheduleInfo(
        name=facts["name"],
        cron=facts["cron"],
        every=facts["every"],
        timezone=facts["timezone"],
        catch_up=facts["catch_up"],
        task_name=facts["task_name"],
        queue=facts["queue"],
        created_at=instant(facts["created_at"]),
        arguments=facts["options"].get("arguments"),
        paused=facts["paused"],
        next_at=optional_instant(facts["next_at"]),
        last_at=optional_instant(facts["last_at"]),
    )


async def fire(store: Store, firing: Firing) -> list[str] | None:
    """Store the tasks of a firing and move its schedule on, in one transaction."""
    for attempt in range(_TRIES):
        document = await _read(store, firing.schedule)
        due_at = microseconds(firing.due_at)
        if document is None or document.facts["paused"] or document.facts["next_at"] != due_at:
            return None
        tasks = [_task(document) for _ in firing.occurrences]
        decided = await _plan(store, document, tasks, firing.occurrences, forgiving=True)
        moved = _write(store, _moved_on(store, document, firing), document.tail, document.seq)
        if await decided.write(moved):
            return decided.new
        await rest(attempt)
    raise BackendError(f"schedule {firing.schedule!r} could not fire: others changed it {_TRIES} times meanwhile")


def _moved_on(store: Store, document: Document, firing: Firing) -> dict[str, Any]:
    last_at = document.facts["last_at"]
    if firing.occurrences:
        last_at = microseconds(firing.occurrences[-1])
    elif last_at is not None:  # a moment that lies ahead was made by a clock that was wrong
        last_at = min(last_at, store.clock.now())
    return {**document.facts, "next_at": _optional(firing.next_at), "last_at": last_at}


async def _plan(
    store: Store, document: Document, tasks: list[Task], occurrences: tuple[datetime, ...], *, forgiving: bool = False
) -> Plan:
    await know_lanes(store, [document.facts["queue"]])
    more: dict[str, Facts] = {
        task.id: {"schedule": document.facts["name"], "scheduled_at": microseconds(occurrence)}
        for task, occurrence in zip(tasks, occurrences, strict=True)
    }
    return await plan(store, tasks, more=more, forgiving=forgiving)


def _task(document: Document) -> Task:
    """Make a new task of what a schedule holds.

    Raises:
        ConfigurationError: another version stored it.
    """
    facts = document.facts
    try:
        given = {name: _as_type_of(_DEFAULTS[name], value) for name, value in facts["options"].items()}
        return Task(id=new_task_id(), name=facts["task_name"], queue=facts["queue"], payload=document.tail, **given)
    except (ValueError, KeyError) as exc:
        raise ConfigurationError(
            f"schedule {facts['name']!r} is of another version of sitq and cannot be read ({exc}); schedule it again"
        ) from exc


def _as_type_of(default: Any, value: Any) -> Any:
    """Make of what JSON has kept what it was: a tuple or a member of an enumeration where the default is one."""
    return type(default)(value) if isinstance(default, (tuple, StrEnum)) else value


async def run_now(store: Store, name: str) -> str | None:
    for attempt in range(_TRIES):
        document = await _read(store, name)
        if document is None:
            return None
        decided = await _plan(store, document, [_task(document)], (instant(store.clock.now()),))
        if not decided.new or await decided.write():
            return decided.ids[0]
        await rest(attempt)
    raise BackendError(f"schedule {name!r} could not run: what it depends on changed {_TRIES} times meanwhile")
