"""A task as it is stored, facts in JSON and then its bytes: at one subject while it is open, at another when it ended.

Moments are integer microseconds since the epoch, durations float seconds; what has its default is left out.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple, TypedDict

from sitq.backends.moments import in_microseconds, since_epoch
from sitq.backends.nats.answers import Found
from sitq.core import FINAL, Task, TaskStatus

INLINE_LIMIT = 1024  # longer bytes stand in messages of their own: records travel to every worker

_STATUS = {status.value: status for status in TaskStatus}


class Facts(TypedDict, total=False):
    """What a record says of a task, beside its bytes.

    Attributes:
        born: sequence of the first record; absent while that is the last one.
        cancel: somebody asked the running task to stop.
        term: which registration of its worker holds it.
        recorded: the attempt is in the history already.
        payload: its size; parts: how many messages it stands in, if not in the record.
        value, value_parts: the same of the returned value.
    """

    id: str
    name: str
    queue: str
    status: str
    priority: int
    enqueued_at: int
    due_at: int
    expires_at: int
    expires: float
    attempt: int
    failures: int
    crashes: int
    max_attempts: int
    worker: str
    term: int
    cancel: bool
    recorded: bool
    cause: str
    error: str
    traceback: str
    started_at: int
    finished_at: int
    timeout: float
    retention: float
    key: str
    python: str
    executor: str
    tags: list[str]
    meta: Mapping[str, Any]
    arguments: str
    needs: list[str]
    after: list[str]
    on_failure: str
    schedule: str
    scheduled_at: int
    progress: list[Any]
    born: int
    payload: int
    parts: int
    value: int
    value_parts: int


class Record(NamedTuple):
    """A record and its place.

    Attributes:
        seq: sequence of its message.
        tail: the bytes behind the facts: payload, then value.
        later: sequence of the tombstone that was written after it, where the task was open before; 0 when none is left.
    """

    seq: int
    facts: Facts
    tail: bytes
    later: int = 0

    @property
    def id(self) -> str:
        return self.facts["id"]

    @property
    def status(self) -> TaskStatus:
        return _STATUS[self.facts.get("status", "pending")]

    @property
    def is_final(self) -> bool:
        return self.status in FINAL

    @property
    def born(self) -> int:
        """Its place in the order of arrival."""
        return self.facts.get("born", self.seq)

    @property
    def waited(self) -> bool:
        """It needs or needed other tasks."""
        return "needs" in self.facts or "after" in self.facts

    @property
    def needs(self) -> list[str]:
        return [*self.facts.get("needs", ()), *self.facts.get("after", ())]

    @property
    def payload(self) -> bytes | None:
        """The bytes of the call; None when they stand elsewhere."""
        return None if "parts" in self.facts else self.tail[: self.facts["payload"]]

    @property
    def value(self) -> bytes | None:
        """The returned value, if there is one and it stands here."""
        if "value" not in self.facts or "value_parts" in self.facts:
            return None
        return self.tail[len(self.tail) - self.facts["value"] :]


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def encoded(facts: Facts, tail: bytes) -> bytes:
    return _encode(facts).encode() + b"\n" + tail


def decoded(seq: int, body: bytes) -> Record:
    facts, _, tail = body.partition(b"\n")
    return Record(seq, json.loads(facts), tail)


class Place(NamedTuple):
    """What stands at the subjects of an id.

    Attributes:
        seq: the last sequence there, which is the fence of the next write; 0 when there is nothing.
        record: the task; None when it was deleted.
    """

    seq: int
    record: Record | None


def places(found: list[Found]) -> dict[str, Place]:
    """Sort what was read by id; of a task that was open and has ended, or the other way round, the later counts."""
    known: dict[str, Place] = {}
    for message in sorted(found, key=lambda message: message.seq):
        if message.body[:1] == b"{":
            record = decoded(message.seq, message.body)
            known[record.id] = Place(message.seq, record)
        else:  # a tombstone, which holds the id alone: behind the record that replaced it, or of a deleted task
            task_id = message.body.decode()
            ended = known[task_id].record if task_id in known else None
            known[task_id] = Place(message.seq, None if ended is None else ended._replace(later=message.seq))
    return known


def due_at(task: Task, now: int) -> int:
    if task.eta is not None:
        return since_epoch(task.eta)
    return now + in_microseconds(max(0.0, task.delay))


def new_facts(task: Task, now: int) -> Facts:
    """Make the facts of a task that is enqueued now; its payload is not noted yet."""
    facts: Facts = {
        "id": task.id,
        "name": task.name,
        "queue": task.queue,
        "enqueued_at": now,
        "due_at": due_at(task, now),
    }
    if task.expires is not None:
        facts["expires"] = task.expires
        facts["expires_at"] = now + in_microseconds(task.expires)
    if task.max_attempts != 1:
        facts["max_attempts"] = task.max_attempts
    if task.priority:
        facts["priority"] = task.priority
    if task.needs or task.after:
        facts["on_failure"] = task.on_failure
    for name in ("timeout", "retention", "key", "python", "executor", "meta", "arguments"):
        if (value := getattr(task, name)) is not None:
            facts[name] = value  # the names are those of the task
    later = [task_id for task_id in task.after if task_id not in task.needs]
    for name, ids in (("tags", task.tags), ("needs", task.needs), ("after", later)):
        if ids:
            facts[name] = list(dict.fromkeys(ids))  # type: ignore[literal-required]
    return facts


def without(facts: Facts, *names: str) -> Facts:
    """Copy facts, leaving some out."""
    return {name: value for name, value in facts.items() if name not in names}  # type: ignore[return-value]
