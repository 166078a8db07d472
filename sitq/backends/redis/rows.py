"""How records are read from a Redis server's answers."""

import json
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from sitq.backends.moments import in_seconds, optional
from sitq.backends.redis.words import moment_of, text_of
from sitq.core import Claim, OnFailure, Result, Task, TaskStatus

Row = Sequence[Any]

_PENDING = frozenset({b"parked", b"blocked", b"scheduled", b"ready"})


def status_of(state: bytes) -> TaskStatus:
    return TaskStatus.PENDING if state in _PENDING else TaskStatus(state.decode())


def arguments_of(word: bytes | None) -> str | None:
    return None if not word else text_of(word[1:])


class _Facts(NamedTuple):
    """What clients alone need of a task."""

    timeout: float | None = None
    max_attempts: int = 1
    executor: str | None = None
    tags: tuple[str, ...] = ()
    meta: dict[str, Any] | None = None


def facts_of(word: bytes | None) -> _Facts:
    if not word:
        return _Facts()
    return _read_facts(word) if b'"meta"' in word else _plain_facts(word)


@lru_cache(256)
def _plain_facts(word: bytes) -> _Facts:
    return _read_facts(word)


def _read_facts(word: bytes) -> _Facts:
    facts = json.loads(word)
    return _Facts(**{**facts, "tags": tuple(facts.get("tags", ()))})


def occurrence_of(word: bytes | None) -> tuple[str, datetime] | tuple[None, None]:
    """Read which occurrence of which schedule a task was stored for: the schedule's name and the moment."""
    if not word:
        return None, None
    moment, _, name = word.partition(b" ")
    return text_of(name), moment_of(moment)


def claim_of(row: Row) -> Claim:
    task_id, attempt, queue, name, payload, failures, crashes, facts_word, waited, schedule = row
    facts = facts_of(facts_word)
    return Claim(
        id=task_id.decode(),
        attempt=attempt,
        name=text_of(name),
        queue=text_of(queue),
        payload=payload,
        failures=int(failures),
        crashes=int(crashes),
        max_attempts=facts.max_attempts,
        timeout=facts.timeout,
        executor=facts.executor,
        waited=bool(waited),
        meta=facts.meta,
        scheduled_at=occurrence_of(schedule)[1],
    )


def result_of(task_id: str, row: Row) -> Result:
    state, enqueued, started, finished, attempt, worker, error, traceback, value = row
    return Result(
        task_id=task_id,
        status=status_of(state),
        value=value,
        error=optional(text_of, error),
        traceback=optional(text_of, traceback),
        enqueued_at=optional(moment_of, enqueued),
        started_at=optional(moment_of, started),
        finished_at=optional(moment_of, finished),
        attempt=int(attempt),
        worker=optional(text_of, worker),
    )


def task_of(task_id: str, row: Row) -> Task:
    fields, needs = row
    name, payload, queue, priority, enqueued, expires, retention, key, python, facts_word, arguments, policy = fields
    facts = facts_of(facts_word)
    needed = [(text_of(needs[place]), needs[place + 1]) for place in range(0, len(needs), 2)]
    return Task(
        id=task_id,
        name=text_of(name),
        payload=payload,
        queue=text_of(queue),
        priority=int(priority or 0),
        expires=None if expires is None else in_seconds(int(expires) - int(enqueued)),
        timeout=facts.timeout,
        max_attempts=facts.max_attempts,
        key=optional(text_of, key),
        python=optional(text_of, python),
        executor=facts.executor,
        retention=None if retention is None else in_seconds(int(retention)),
        tags=facts.tags,
        meta=facts.meta,
        arguments=arguments_of(arguments),
        needs=tuple(found for found, takes in needed if takes == b"1"),
        after=tuple(found for found, takes in needed if takes != b"1"),
        on_failure=OnFailure.CANCEL if policy is None else OnFailure(policy.decode()),
    )
