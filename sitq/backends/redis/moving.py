"""What moves between a Redis store and others: ended tasks come in, schedules go out with their bytes."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from sitq.backends.moments import in_seconds, optional, since_epoch
from sitq.backends.redis.connection import Connection
from sitq.backends.redis.rows import arguments_of, facts_of
from sitq.backends.redis.sights import schedule_of
from sitq.backends.redis.words import Word, task_words, text_of, text_word
from sitq.backends.refusals import schedule_is_foreign
from sitq.core import OnConflict, Result, Task, new_task_id
from sitq.recurring import Schedule

_TOGETHER = 200  # tasks that one trip carries, during which the server does nothing else


async def restore(connection: Connection, ended: Sequence[tuple[Task, Result]]) -> set[str]:
    reached: set[str] = set()
    for first in range(0, len(ended), _TOGETHER):
        words = [word for task, result in ended[first : first + _TOGETHER] for word in _words(task, result)]
        reached.update(map(text_of, await connection.run("restore", *words, again=False)))
    return reached


def _words(task: Task, result: Result) -> Iterator[Word]:
    yield from task_words(task._replace(eta=None, delay=0.0))
    facts = {
        "state": result.status,
        "attempt": result.attempt,
        "error": result.error,
        "traceback": result.traceback,
        "enqueued": optional(since_epoch, result.enqueued_at),
        "started": optional(since_epoch, result.started_at),
        "finished": optional(since_epoch, result.finished_at),
        "has_value": True if result.value is not None else None,
    }
    given = {name: value for name, value in facts.items() if value is not None}
    yield text_word(json.dumps(given, ensure_ascii=False))
    yield result.value or b""


async def stored_schedules(connection: Connection) -> list[Schedule]:
    version, rows = await connection.run("stored_schedules")
    found = [_schedule(row, version) for row in rows]
    return sorted(found, key=lambda schedule: schedule.name)


def _schedule(row: Sequence[Any], known: bytes) -> Schedule:
    facts, (version, payload, facts_word, rare_word) = row
    info = schedule_of(facts)
    if version != known:
        raise schedule_is_foreign(info.name)
    rest, rare = facts_of(facts_word), json.loads(rare_word)
    task = Task(
        id=new_task_id(),
        name=info.task_name,
        payload=payload,
        queue=info.queue,
        priority=rare.get("priority", 0),
        expires=optional(in_seconds, rare.get("expires")),
        timeout=rest.timeout,
        max_attempts=rest.max_attempts,
        key=rare.get("key"),
        on_conflict=OnConflict(rare.get("on_conflict", OnConflict.RETURN)),
        python=rare.get("python"),
        executor=rest.executor,
        retention=optional(in_seconds, rare.get("retention")),
        tags=rest.tags,
        meta=rest.meta,
        arguments=arguments_of(facts[7]),
    )
    recurs = {"cron": info.cron, "every": info.every, "timezone": info.timezone, "catch_up": info.catch_up}
    return Schedule(name=info.name, task=task, next_at=info.next_at, **recurs)  # type: ignore[arg-type]
