"""How records travel to a Redis server: as words of a command, and as JSON where few of them say anything."""

import json
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from typing import Any

from sitq.backends.moments import in_microseconds, moment_at, optional, since_epoch
from sitq.core import Outcome, Report, Task, WorkerInfo

Word = str | bytes | int


def moment_of(word: bytes | str | int) -> datetime:
    return moment_at(int(word))


def text_word(text: str) -> bytes:
    """Encode text of a user's program, which may hold half of a surrogate pair."""
    return text.encode("utf-8", "surrogatepass")


def text_of(word: bytes) -> str:
    return word.decode("utf-8", "surrogatepass")


def task_words(task: Task) -> tuple[Word, ...]:
    """Seven words: id, lane, name, payload, arguments, facts for clients, and what few tasks have, for the server."""
    arguments = b"" if task.arguments is None else b"=" + text_word(task.arguments)
    return (
        task.id,
        text_word(task.queue),
        text_word(task.name),
        task.payload,
        arguments,
        facts_word(task),
        rare_word(task),
    )


def facts_word(task: Task) -> str:
    if task.meta is None and not task.tags:
        return _plain_facts(task.timeout, task.max_attempts, task.executor)
    facts = json.loads(_plain_facts(task.timeout, task.max_attempts, task.executor) or "{}")
    return json.dumps({**facts, "tags": task.tags, "meta": task.meta})


# Most tasks of a program are alike in this: the text is made once.
@lru_cache(256)
def _plain_facts(timeout: float | None, max_attempts: int, executor: str | None) -> str:
    facts: dict[str, Any] = {"timeout": timeout, "executor": executor}
    facts["max_attempts"] = None if max_attempts == 1 else max_attempts
    given = {name: value for name, value in facts.items() if value is not None}
    return json.dumps(given) if given else ""


def rare_word(task: Task) -> str:
    plain = _plain_rare(task.priority, task.expires, task.python, task.retention)
    special = dict(_special(task))
    return json.dumps({**json.loads(plain or "{}"), **special}) if special else plain


@lru_cache(256)
def _plain_rare(priority: int, expires: float | None, python: str | None, retention: float | None) -> str:
    rare: dict[str, Any] = {"priority": priority or None, "python": python}
    rare["expires"] = optional(in_microseconds, expires)
    rare["retention"] = optional(in_microseconds, retention)
    given = {name: value for name, value in rare.items() if value is not None}
    return json.dumps(given) if given else ""


def _special(task: Task) -> Iterator[tuple[str, Any]]:
    if task.eta is not None:
        yield "eta", since_epoch(task.eta)
    elif task.delay > 0:
        yield "delay", in_microseconds(task.delay)
    if task.key is not None:
        yield "key", task.key
        yield "on_conflict", task.on_conflict
    if task.needs or task.after:
        taken = [(task_id, "1") for task_id in task.needs]
        yield "needs", taken + [(task_id, "0") for task_id in task.after if task_id not in task.needs]
        yield "on_failure", task.on_failure


def outcome_words(outcome: Outcome) -> tuple[Word, ...]:
    """Eight words: id, attempt, status, cause, duration, whether there is a value, value, what few outcomes have."""
    value = outcome.value
    return (
        outcome.id,
        outcome.attempt,
        outcome.status,
        outcome.cause,
        in_microseconds(outcome.duration),
        0 if value is None else 1,
        value or b"",
        _trouble(outcome),
    )


def _trouble(outcome: Outcome) -> bytes:
    if outcome.error is None and outcome.traceback is None and not outcome.delay:
        return b""
    facts = {"error": outcome.error, "traceback": outcome.traceback, "delay": in_microseconds(outcome.delay)}
    given = {name: value for name, value in facts.items() if value is not None}
    return text_word(json.dumps(given, ensure_ascii=False))


def report_words(report: Report) -> Iterator[Word]:
    yield report.id
    yield report.attempt
    yield b"" if report.progress is None else _progress_word(report)
    yield b"" if report.keep is None else report.keep
    yield len(report.output)
    for stream, text in report.output:
        yield stream
        yield text_word(text)


def _progress_word(report: Report) -> bytes:
    done, total, message = report.progress or (None, None, None)
    facts = {
        "pd": None if done is None else repr(float(done)),
        "pt": None if total is None else repr(float(total)),
        "pm": message,
    }
    given = {name: value for name, value in facts.items() if value is not None}
    return text_word(json.dumps(given, ensure_ascii=False))


def worker_word(worker: WorkerInfo) -> str:
    """Pairs of name and value."""
    facts: dict[str, Any] = {
        "host": worker.host,
        "pid": worker.pid,
        "process": worker.process,
        "queues": json.dumps(worker.queues),
        "max_concurrency": worker.max_concurrency,
        "python": worker.python,
        "started": str(since_epoch(worker.started_at)),
    }
    return json.dumps([part for pair in facts.items() for part in pair])
