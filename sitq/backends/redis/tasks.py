"""The verbs of tasks on a Redis store that producers, workers and people send many at a time."""

from collections.abc import Collection, Sequence
from typing import Any

from sitq.backends.moments import in_microseconds
from sitq.backends.redis.connection import Connection
from sitq.backends.redis.rows import result_of, task_of
from sitq.backends.redis.words import Word, report_words, task_words, text_of
from sitq.backends.refusals import key_is_held, need_is_missing
from sitq.core import FINAL, Report, Result, Task, TaskStatus
from sitq.exceptions import TaskQueueError

_IDS = 2000  # ids that one trip names, during which the server does nothing else


async def enqueue(connection: Connection, requests: Sequence[Sequence[Task]]) -> list[list[str] | Exception]:
    words: list[Word] = []
    for tasks in requests:
        words.append(len(tasks))
        for task in tasks:
            words += task_words(task)
    answers = await connection.run("enqueue", *words)
    return [_stored(tasks, answer) for tasks, answer in zip(requests, answers, strict=True)]


def _stored(tasks: Sequence[Task], answer: Sequence[Any]) -> list[str] | Exception:
    if answer[0] == 0:
        return refusal(answer)
    return [task.id if task_id is None else text_of(task_id) for task, task_id in zip(tasks, answer[1:], strict=True)]


def refusal(answer: Sequence[Any]) -> TaskQueueError:
    """Make the error of a task that was not stored."""
    _, why, *facts = answer
    first, task_id, *state = map(text_of, facts)
    if why == b"missing":
        return need_is_missing(first, task_id)
    return key_is_held(first, task_id, running=state == ["running"])


async def results(connection: Connection, ids: Collection[str]) -> dict[str, Result]:
    return {task_id: result_of(task_id, row) for task_id, row in await _rows(connection, "results", ids)}


async def tasks(connection: Connection, ids: Collection[str]) -> dict[str, Task]:
    return {task_id: task_of(task_id, row) for task_id, row in await _rows(connection, "tasks", ids)}


async def _rows(connection: Connection, name: str, ids: Collection[str]) -> list[tuple[str, Any]]:
    found = []
    for part in _parts(ids):
        rows = await connection.run(name, *part)
        found += [(task_id, row) for task_id, row in zip(part, rows, strict=True) if row is not None]
    return found


def _parts(ids: Collection[str]) -> list[list[str]]:
    wanted = list(ids)
    return [wanted[first : first + _IDS] for first in range(0, len(wanted), _IDS)]


async def inputs(connection: Connection, task_id: str) -> dict[str, Result]:
    needed = await connection.run("needs", task_id)
    taken = [text_of(needed[place]) for place in range(0, len(needed), 2) if needed[place + 1] == b"1"]
    return await results(connection, taken)


async def needs(connection: Connection, task_id: str) -> list[str]:
    return [text_of(needed) for needed in (await connection.run("needs", task_id))[::2]]


async def report(connection: Connection, requests: Sequence[Sequence[Report]]) -> list[None]:
    words = [word for reports in requests for report in reports for word in report_words(report)]
    await connection.run("report", *words, again=False)
    return [None] * len(requests)


async def reach(connection: Connection, verb: str, ids: Collection[str]) -> set[str]:
    """Send a verb of people, and tell the ids that were reached."""
    reached: set[str] = set()
    for part in _parts(sorted(ids)):  # the older first: others may need them
        reached.update(map(text_of, await connection.run(verb, *part, again=False)))
    return reached


async def purge(
    connection: Connection, older_than: float | None, statuses: Collection[TaskStatus] | None, limit: int
) -> int:
    age: Word = "" if older_than is None else in_microseconds(older_than)
    wanted = FINAL if statuses is None else statuses
    return int(await connection.run("purge", age, limit, *wanted, again=False))
