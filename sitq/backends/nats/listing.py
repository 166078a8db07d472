"""Which tasks of a NATS store a `TaskQuery` is about, page by page.

Open tasks are all on the shelf. Those that have ended stand in the stream in the order of their ends, and are walked in
windows of it from the newest on: what has not been walked ended earlier, and so was born earlier too.
"""

from collections.abc import Callable, Iterable

from sitq.backends.moments import moment_at, optional, since_epoch
from sitq.backends.nats.records import Record, decoded
from sitq.backends.nats.shelf import Shelf
from sitq.backends.nats.store import OpenStore
from sitq.backends.states import waits_for_python, waits_for_tasks
from sitq.core import FINAL, Progress, TaskStatus
from sitq.views import Order, TaskInfo, TaskQuery

_BATCH = 500  # records in one read
_NARROWEST = 500  # sequences in the first window


async def list_tasks(store: OpenStore, query: TaskQuery) -> list[TaskInfo]:
    shelf = await store.replica.catch_up()
    if query.ids:
        records = [record for record in (await store.records(query.ids)).values() if _matches(query, record)]
    else:
        records = await _walk(store, shelf, query)
    before = await _before(store, query)
    if before is not None:
        records = [record for record in records if before(record)]
    page = sorted(records, key=_key(query.order), reverse=query.order is not Order.OLDEST)[: query.limit]
    now = store.clock.now()
    return [_info(shelf, record, now) for record in page]


def _key(order: Order) -> Callable[[Record], int]:
    return (lambda record: record.seq) if order is Order.ENDED else (lambda record: record.born)


async def _before(store: OpenStore, query: TaskQuery) -> Callable[[Record], bool] | None:
    """Make the condition that goes on after the last task of the page before."""
    if query.before is None:
        return None
    last, key = (await store.records([query.before])).get(query.before), _key(query.order)
    if query.order is Order.OLDEST:
        if last is None:  # it was deleted; its id still tells its place, as ids sort by time
            return lambda record: record.id > str(query.before)
        return lambda record: record.born > last.born
    if last is None:
        return lambda record: record.id < str(query.before)
    return lambda record: key(record) < key(last)


async def _walk(store: OpenStore, shelf: Shelf, query: TaskQuery) -> list[Record]:
    """Find what matches a query, at least as much as its page needs."""
    found: dict[str, Record] = {}
    wanted = set(query.statuses) or set(TaskStatus)
    if query.order is not Order.ENDED:
        found = {record.id: record for record in shelf.open.values() if _matches(query, record)}
    subjects = [store.subjects.ended(status, query.queue) for status in FINAL if status in wanted]
    if not subjects:
        return list(found.values())
    before, key = await _before(store, query), _key(query.order)
    high, width = await _end(store), max(_NARROWEST, 2 * query.limit)
    while high > 1:
        low = max(1, high - width)
        ended = [record for subject in subjects for record in await _window(store, subject, low, high)]
        for record in ended:
            if _matches(query, record) and (record.id not in found or found[record.id].seq < record.seq):
                found[record.id] = record
        high, width = low, width * 2
        if query.order is Order.OLDEST:
            continue
        if _all_came_earlier(query, ended):
            break
        certain = sum(key(record) >= low and (before is None or before(record)) for record in found.values())
        if certain >= query.limit:
            break
    return list(found.values())


async def _end(store: OpenStore) -> int:
    answer = await store.connection.call(f"STREAM.INFO.{store.connection.stream}", what="tell its last sequence")
    return int(answer["state"]["last_seq"]) + 1


async def _window(store: OpenStore, subject: str, low: int, high: int) -> list[Record]:
    """Read the records of a subject in a window of the stream."""
    records: list[Record] = []
    while low < high:
        batch = await store.connection.scan(subject, start=low, batch=_BATCH)
        records += (decoded(message.seq, message.body) for message in batch if message.seq < high)
        if len(batch) < _BATCH:
            break
        low = batch[-1].seq + 1
    return records


def _all_came_earlier(query: TaskQuery, ended: Iterable[Record]) -> bool:
    """Tell whether tasks that ended still earlier are all outside the moments asked for."""
    if query.since is None:
        return False
    since = since_epoch(query.since)
    return any(record.facts["finished_at"] < since for record in ended)


def _matches(query: TaskQuery, record: Record) -> bool:
    facts = record.facts
    return (
        (not query.statuses or record.status in query.statuses)
        and (query.order is not Order.ENDED or record.is_final)
        and (query.queue is None or facts["queue"] == query.queue)
        and facts["queue"] not in query.except_queues
        and query.takes_name(facts["name"])
        and (query.schedule is None or facts.get("schedule") == query.schedule)
        and (query.tag is None or query.tag in facts.get("tags", ()))
        and (query.since is None or facts["enqueued_at"] >= since_epoch(query.since))
        and (query.until is None or facts["enqueued_at"] <= since_epoch(query.until))
        and (query.text is None or _has_text(record, query.text.casefold()))
    )


def _has_text(record: Record, text: str) -> bool:
    facts = record.facts
    shown = (facts["id"], facts["name"], facts.get("arguments"), facts.get("error"), facts.get("key"))
    return any(text in part.casefold() for part in shown if part is not None)


def _info(shelf: Shelf, record: Record, now: int) -> TaskInfo:
    facts = record.facts
    return TaskInfo(
        id=record.id,
        name=facts["name"],
        queue=facts["queue"],
        status=record.status,
        priority=facts.get("priority", 0),
        attempt=facts.get("attempt", 0),
        max_attempts=facts.get("max_attempts", 1),
        failures=facts.get("failures", 0),
        crashes=facts.get("crashes", 0),
        enqueued_at=moment_at(facts["enqueued_at"]),
        due_at=moment_at(facts["due_at"]),
        started_at=optional(moment_at, facts.get("started_at")),
        finished_at=optional(moment_at, facts.get("finished_at")),
        expires_at=optional(moment_at, facts.get("expires_at")),
        timeout=facts.get("timeout"),
        key=facts.get("key"),
        worker=facts.get("worker"),
        executor=facts.get("executor"),
        cancel_requested=facts.get("cancel", False),
        stalled=record.status is TaskStatus.RUNNING and not _holds_its_lease(shelf, record, now),
        waits_for=_waits_for(shelf, record) if record.status is TaskStatus.PENDING else None,
        arguments=facts.get("arguments"),
        error=facts.get("error"),
        tags=tuple(facts.get("tags", ())),
        meta=facts.get("meta"),
        progress=Progress(*facts["progress"]) if "progress" in facts else None,
        schedule=facts.get("schedule"),
        scheduled_at=optional(moment_at, facts.get("scheduled_at")),
    )


def _holds_its_lease(shelf: Shelf, record: Record, now: int) -> bool:
    return any(
        worker.facts["id"] == record.facts["worker"]
        and "stopped_at" not in worker.facts
        and worker.facts["expires_at"] >= now
        for worker in shelf.documents["worker"].values()
    )


def _waits_for(shelf: Shelf, record: Record) -> str | None:
    waiting = shelf.waiting_for(record)
    if waiting:
        return waits_for_tasks(waiting)
    python = record.facts.get("python")
    workers = [worker.facts for worker in shelf.documents["worker"].values() if "stopped_at" not in worker.facts]
    if python is not None and workers and all(worker["python"] != python for worker in workers):
        return waits_for_python(python)
    return None
