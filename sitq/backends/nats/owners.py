"""Who runs what on a NATS store: workers, their leases, and the recovery of what a dead one held."""

import json
import time
from collections.abc import Collection, Mapping
from typing import Any

from sitq.backends.moments import in_microseconds, since_epoch
from sitq.backends.nats import endings
from sitq.backends.nats.connection import Write
from sitq.backends.nats.records import Record
from sitq.backends.nats.replica import owner
from sitq.backends.nats.shelf import Document
from sitq.backends.nats.store import TRIES, OpenStore, Step, rest
from sitq.core import Cause, TaskStatus, WorkerInfo
from sitq.exceptions import BackendError

_LOOK = 0.2  # seconds between two looks at the other workers
_TIME_LOOK = 30.0  # seconds between two questions for the server's time
SHOWN = 3600  # seconds for which a worker that has stopped is shown


def alive(store: OpenStore, worker_id: str) -> Document | None:
    """Find a registered worker on the shelf; None when it never came, said goodbye or was declared dead."""
    worker = store.replica.shelf.documents["worker"].get(store.subjects.worker(worker_id))
    return None if worker is None or "stopped_at" in worker.facts else worker


async def heartbeat(store: OpenStore, worker: WorkerInfo, claims: Mapping[str, int], lease: float) -> set[str]:
    """Renew a worker's lease, or register it; answers the claims that must stop."""
    for attempt in range(TRIES):
        document = await _read(store, worker.id)
        if document is None or "stopped_at" in document.facts:
            if lease <= 0 or await _write(store, worker.id, document, _registered(store, worker, document, lease)):
                return set(claims)
        elif lease <= 0:
            stops = await _stops(store, document, claims)
            await _say_goodbye(store, worker.id)
            return stops
        elif await _write(store, worker.id, document, _renewed(store, document, lease)):
            return await _stops(store, document, claims)
        await rest(attempt)
    raise BackendError(f"worker {worker.id} could not renew its lease: others wrote {TRIES} times meanwhile")


async def _read(store: OpenStore, worker_id: str) -> Document | None:
    found = await store.connection.read([store.subjects.worker(worker_id)])
    return Document(found[0].seq, json.loads(found[0].body)) if found else None


async def _write(store: OpenStore, worker_id: str, before: Document | None, facts: dict[str, Any]) -> bool:
    """Write a worker's document unless somebody else did since it was read."""
    seq = 0 if before is None else before.seq
    ttl = SHOWN if "stopped_at" in facts else 0
    body = json.dumps(facts).encode()
    return await store.write_document(Write(store.subjects.worker(worker_id), body, seq, ttl=ttl))


def _renewed(store: OpenStore, document: Document, lease: float) -> dict[str, Any]:
    now = store.clock.now()
    return {**document.facts, "seen_at": now, "lease": lease, "expires_at": now + in_microseconds(lease)}


def _registered(store: OpenStore, worker: WorkerInfo, before: Document | None, lease: float) -> dict[str, Any]:
    now = store.clock.now()
    return {
        "id": worker.id,
        "host": worker.host,
        "pid": worker.pid,
        "process": worker.process,
        "queues": worker.queues,
        "max_concurrency": worker.max_concurrency,
        "python": worker.python,
        "started_at": since_epoch(worker.started_at),
        "seen_at": now,
        "lease": lease,
        "expires_at": now + in_microseconds(lease),
        # What an earlier registration held is lost, also if nobody has taken it over yet.
        "term": now if before is None else max(now, before.facts["term"] + 1),
    }


async def _stops(store: OpenStore, worker: Document, claims: Mapping[str, int]) -> set[str]:
    """Tell which of a worker's claims are lost or cancelled."""
    records = await store.records(claims) if claims else {}
    return {
        task_id
        for task_id, attempt in claims.items()
        if not _holds(worker, records.get(task_id), attempt) or records[task_id].facts.get("cancel")
    }


def _holds(worker: Document, record: Record | None, attempt: int) -> bool:
    return (
        record is not None
        and record.status is TaskStatus.RUNNING
        and record.facts["attempt"] == attempt
        and record.facts["term"] == worker.facts["term"]
    )


async def _say_goodbye(store: OpenStore, worker_id: str) -> None:
    """Give back all that a worker holds, then close its document."""
    shelf = await store.replica.catch_up()
    await _give_back(store, [shelf.open[task_id] for task_id in shelf.held.get(worker_id, ())], Cause.RELEASED, None)
    await _stop(store, worker_id)


async def _stop(store: OpenStore, worker_id: str, *, only_if: Document | None = None) -> bool:
    """Close a worker's document; with `only_if` unless it has changed since."""
    for attempt in range(TRIES):
        document = only_if or await _read(store, worker_id)
        if document is None or "stopped_at" in document.facts:
            return True
        if await _write(store, worker_id, document, {**document.facts, "stopped_at": store.clock.now()}):
            return True
        if only_if is not None:
            return False
        await rest(attempt)
    return False


async def _give_back(store: OpenStore, records: Collection[Record], cause: Cause, error: str | None) -> None:
    """Make running tasks pending again, or cancelled where somebody asked for that."""
    owners = {record.id: (record.facts["worker"], record.facts["term"]) for record in records}

    def decide(record: Record) -> Step | None:
        if record.status is not TaskStatus.RUNNING:
            return None
        if (record.facts["worker"], record.facts["term"]) != owners[record.id]:
            return None
        return endings.given_back(store, record, cause, error)

    reached = await store.change({record.id: record for record in records}, decide)
    left = [record for record in records if record.id not in reached]
    if left:
        await store.correct(left)
    await endings.settle(store, endings.bad_ends(reached.values()))


async def release_dead(store: OpenStore, own_id: str) -> None:
    """Give back what dead workers held, looking at most a few times a second.

    A worker is dead when its process has surely ended, or when its lease is over.
    """
    monotonic = time.monotonic()
    if monotonic - store.looked_at < _LOOK:
        return
    store.looked_at = monotonic
    if monotonic - store.clock.told_at > _TIME_LOOK:
        await store.tell_time()
    shelf = store.replica.shelf
    for document in list(shelf.documents["worker"].values()):
        worker_id = document.facts["id"]
        if worker_id != own_id and "stopped_at" not in document.facts and _is_dead(store, document):
            await _stop(store, worker_id, only_if=document)
    for worker_id in list(shelf.held):
        lost = [shelf.open[task_id] for task_id in shelf.held.get(worker_id, ())]
        lost = [record for record in lost if not _has_owner(store, record)]
        if lost:
            await _give_back(store, lost, Cause.LOST, f"TaskLostError: worker {worker_id} died while running it")


def _has_owner(store: OpenStore, record: Record) -> bool:
    worker = alive(store, record.facts["worker"])
    return worker is not None and worker.facts["term"] == record.facts["term"]


def _is_dead(store: OpenStore, worker: Document) -> bool:
    if owner(worker).is_surely_dead():
        return True
    return worker.facts["expires_at"] < store.clock.now() and not store.clock.has_jumped(worker.facts["lease"])


def stop_requests(store: OpenStore, worker_id: str) -> set[str]:
    """Tell which running tasks of a worker somebody cancelled, as far as it is known here."""
    shelf = store.replica.shelf
    return {task_id for task_id in shelf.held.get(worker_id, ()) if shelf.open[task_id].facts.get("cancel")}
