"""What a NATS store tells about tasks by their ids, and its counts."""

import asyncio
import json
from collections import Counter
from collections.abc import Collection

from sitq.backends.moments import moment_at, optional
from sitq.backends.nats.owners import SHOWN
from sitq.backends.nats.records import Facts, Record
from sitq.backends.nats.shelf import Document, Shelf
from sitq.backends.nats.store import OpenStore
from sitq.core import FINAL, Cause, OnFailure, Result, Task, TaskStatus, WorkerInfo
from sitq.views import Attempt, QueueStats, Stats


async def results(store: OpenStore, ids: Collection[str]) -> dict[str, Result]:
    records = await store.records(ids)
    long = {
        record.id: (f"value-{record.facts['attempt']}", record.facts["value_parts"])
        for record in records.values()
        if "value_parts" in record.facts
    }
    values = await store.read_long(long) if long else {}
    return {task_id: _result(record, values.get(task_id, record.value)) for task_id, record in records.items()}


def _result(record: Record, value: bytes | None) -> Result:
    facts = record.facts
    return Result(
        task_id=record.id,
        status=record.status,
        value=value if record.status is TaskStatus.SUCCESS else None,
        error=facts.get("error"),
        traceback=facts.get("traceback"),
        enqueued_at=moment_at(facts["enqueued_at"]),
        started_at=optional(moment_at, facts.get("started_at")),
        finished_at=optional(moment_at, facts.get("finished_at")),
        attempt=facts.get("attempt", 0),
        worker=facts.get("worker"),
    )


async def tasks(store: OpenStore, ids: Collection[str]) -> dict[str, Task]:
    records = await store.records(ids)
    payloads = await store.payloads(list(records.values()))
    return {task_id: _task(record.facts, payloads[task_id]) for task_id, record in records.items()}


def _task(facts: Facts, payload: bytes) -> Task:
    return Task(
        id=facts["id"],
        name=facts["name"],
        payload=payload,
        queue=facts["queue"],
        priority=facts.get("priority", 0),
        expires=facts.get("expires"),
        timeout=facts.get("timeout"),
        max_attempts=facts.get("max_attempts", 1),
        key=facts.get("key"),
        python=facts.get("python"),
        executor=facts.get("executor"),
        retention=facts.get("retention"),
        tags=tuple(facts.get("tags", ())),
        meta=facts.get("meta"),
        arguments=facts.get("arguments"),
        needs=tuple(facts.get("needs", ())),
        after=tuple(facts.get("after", ())),
        on_failure=OnFailure(facts.get("on_failure", OnFailure.CANCEL)),
    )


async def inputs(store: OpenStore, task_id: str) -> dict[str, Result]:
    record = (await store.records([task_id])).get(task_id)
    needed = record.facts.get("needs", []) if record is not None else []
    return await results(store, needed)


async def needs(store: OpenStore, task_id: str) -> list[str]:
    record = (await store.records([task_id])).get(task_id)
    needed = (await store.records(record.needs)).values() if record is not None and record.waited else ()
    return [record.id for record in sorted(needed, key=lambda record: record.born)]


async def attempts(store: OpenStore, task_id: str) -> list[Attempt]:
    record = (await store.records([task_id])).get(task_id)
    if record is None or "attempt" not in record.facts:
        return []
    found = await store.connection.scan_all(store.subjects.more(task_id, "attempt", "*"))
    last = record.facts["attempt"] if "recorded" in record.facts else record.facts["attempt"] - 1
    history = [_attempt(task_id, facts) for facts in (json.loads(message.body) for message in found)]
    told = sorted((attempt for attempt in history if attempt.attempt <= last), key=lambda attempt: attempt.attempt)
    if "recorded" not in record.facts and record.status is not TaskStatus.PENDING:
        told.append(_attempt(task_id, record.facts))
    return told


def _attempt(task_id: str, facts: Facts) -> Attempt:
    ended = "finished_at" in facts
    return Attempt(
        task_id=task_id,
        attempt=facts["attempt"],
        worker=facts.get("worker"),
        started_at=optional(moment_at, facts.get("started_at")),
        finished_at=optional(moment_at, facts.get("finished_at")),
        cause=Cause(facts["cause"]) if ended and "cause" in facts else None,
        error=facts.get("error") if ended else None,
        traceback=facts.get("traceback") if ended else None,
    )


async def stats(store: OpenStore) -> Stats:
    shelf = await store.replica.catch_up()
    queues = sorted(lane.facts["queue"] for lane in shelf.documents["lane"].values())
    wanted = [(queue, status) for queue in queues for status in FINAL]
    counts = await asyncio.gather(
        *(store.connection.count(store.subjects.ended(status, queue)) for queue, status in wanted)
    )
    ended = dict(zip(wanted, counts, strict=True))
    lanes = _count_open(store, shelf, queues)
    told = (_queue_stats(queue, lanes[queue], ended, queue in shelf.paused) for queue in queues)
    return Stats(
        queues=tuple(lane for lane in told if lane.paused or any(_counts(lane))),
        workers=tuple(_worker(store, shelf, worker) for worker in _shown_workers(store, shelf)),
    )


class _Open:
    """Counts of a lane's open tasks."""

    def __init__(self) -> None:
        self.by_name: Counter[str] = Counter()
        self.oldest: int | None = None


def _count_open(store: OpenStore, shelf: Shelf, queues: Collection[str]) -> dict[str, _Open]:
    now = store.clock.now()
    lanes = {queue: _Open() for queue in queues}
    for record in shelf.open.values():
        facts = record.facts
        lane = lanes.setdefault(facts["queue"], _Open())
        lane.by_name[facts.get("status", "pending")] += 1
        if "status" in facts:
            continue
        blocked = shelf.waiting_for(record) > 0
        if facts["due_at"] > now and not blocked:
            lane.by_name["scheduled"] += 1
        elif not blocked and (lane.oldest is None or facts["due_at"] < lane.oldest):
            lane.oldest = facts["due_at"]
    return lanes


def _queue_stats(queue: str, lane: _Open, ended: dict[tuple[str, TaskStatus], int], paused: bool) -> QueueStats:
    return QueueStats(
        queue=queue,
        pending=lane.by_name["pending"],
        scheduled=lane.by_name["scheduled"],
        running=lane.by_name["running"],
        success=ended.get((queue, TaskStatus.SUCCESS), 0),
        failed=ended.get((queue, TaskStatus.FAILED), 0),
        cancelled=ended.get((queue, TaskStatus.CANCELLED), 0),
        paused=paused,
        oldest_due_at=optional(moment_at, lane.oldest),
    )


def _counts(lane: QueueStats) -> tuple[int, ...]:
    return lane.pending, lane.running, lane.success, lane.failed, lane.cancelled


def _shown_workers(store: OpenStore, shelf: Shelf) -> list[Document]:
    since = store.clock.now() - SHOWN * 1_000_000
    shown = (
        worker for worker in shelf.documents["worker"].values() if worker.facts.get("stopped_at", since + 1) > since
    )
    return sorted(shown, key=lambda worker: (worker.facts["term"], worker.facts["id"]))


def _worker(store: OpenStore, shelf: Shelf, worker: Document) -> WorkerInfo:
    facts = worker.facts
    held = (shelf.open[task_id] for task_id in shelf.held.get(facts["id"], ()))
    return WorkerInfo(
        id=facts["id"],
        host=facts["host"],
        pid=facts["pid"],
        process=facts["process"],
        queues=None if facts["queues"] is None else tuple(facts["queues"]),
        max_concurrency=facts["max_concurrency"],
        python=facts["python"],
        started_at=moment_at(facts["started_at"]),
        seen_at=moment_at(facts["seen_at"]),
        running=sum(record.facts["term"] == facts["term"] for record in held),
        alive="stopped_at" not in facts and facts["expires_at"] >= store.clock.now(),
    )
