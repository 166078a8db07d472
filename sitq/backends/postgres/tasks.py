"""The producer's verb on a PostgreSQL store: tasks travel as columns, many callers' in one statement."""

import json
from collections.abc import Sequence
from itertools import islice
from typing import Any

from sitq.backends.postgres.address import Address
from sitq.backends.postgres.session import Connection
from sitq.core import Task

# As the functions of sql/enqueue.sql take them.
_PLAIN = """text[], text[], text[], bytea[], bigint[], timestamptz[], float8[], float8[], float8[], bigint[], text[],
  text[], float8[], text[], text[], text[]"""
SPECIAL = f"{_PLAIN}, text[], text[], text[], text[], text[]"


def parameters(types: str) -> str:
    """Write placeholders of these types."""
    return ", ".join(f"${place}::{name.strip()}" for place, name in enumerate(types.split(","), 1))


_ENQUEUE_ONE = f"select sitq.enqueue_one({parameters(_PLAIN.replace('[]', ''))})"
_ENQUEUE_PLAIN = f"select sitq.enqueue_plain({parameters(_PLAIN)})"
_ENQUEUE = f"select sitq.enqueue({parameters(SPECIAL)})"


async def enqueue(connection: Connection, address: Address, requests: Sequence[Sequence[Task]]) -> list[list[str]]:
    """Store the tasks of all requests in one transaction."""
    statement, values = statement_for([task for request in requests for task in request])
    answer = await connection.fetchval(address.sql(statement), *values)
    if answer is None or answer == "":
        return [[task.id for task in request] for request in requests]
    ids = iter(answer)
    return [list(islice(ids, len(request))) for request in requests]


def statement_for(tasks: Sequence[Task]) -> tuple[str, Sequence[Any]]:
    """Choose the statement that stores tasks, and write them as its parameters."""
    if len(tasks) == 1 and not is_special(tasks[0]):
        return _ENQUEUE_ONE, _plain(tasks[0])
    if any(is_special(task) for task in tasks):
        return _ENQUEUE, columns([special_row(task) for task in tasks], SPECIAL)
    return _ENQUEUE_PLAIN, columns([_plain(task) for task in tasks], _PLAIN)


def columns(rows: Sequence[Sequence[Any]], types: str) -> list[list[Any] | None]:
    """Turn rows into the parameters of these types: one array each, or None where all are None."""
    if not rows:
        return [None for _ in types.split(",")]
    return [list(column) if any(map(_is_given, column)) else None for column in zip(*rows, strict=True)]


def _is_given(value: object) -> bool:
    return value is not None


def is_special(task: Task) -> bool:
    """Tell what may be refused: keys that may be held, and needs that may be missing."""
    return task.key is not None or bool(task.needs) or bool(task.after)


def _plain(task: Task) -> tuple[Any, ...]:
    return (
        task.id,
        task.queue,
        clean(task.name),
        task.payload,
        task.priority or None,
        task.eta,
        task.delay or None,
        task.expires,
        task.timeout,
        task.max_attempts if task.max_attempts > 1 else None,
        task.python,
        task.executor,
        task.retention,
        json.dumps(task.tags) if task.tags else None,
        None if task.meta is None else json.dumps(task.meta),
        clean(task.arguments),
    )


def special_row(task: Task) -> tuple[Any, ...]:
    waits = bool(task.needs or task.after)
    return (
        *_plain(task),
        task.key,
        str(task.on_conflict),
        json.dumps(task.needs) if waits else None,
        json.dumps(task.after) if waits else None,
        str(task.on_failure),
    )


def clean(text: str | None) -> str | None:
    """Write out what the server's text cannot hold: the character NUL, and lone surrogates."""
    if text is None or (text.isascii() and "\0" not in text):
        return text
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()
