"""How what people see is read from a Redis server's answers: tasks, attempts, output, schedules, counts."""

import json
from typing import Any

from sitq.backends.moments import in_seconds, optional
from sitq.backends.redis.rows import (
    Row,
    arguments_of,
    facts_of,
    occurrence_of,
    status_of,
)
from sitq.backends.redis.words import moment_of, text_of
from sitq.backends.states import waits_for_python, waits_for_tasks
from sitq.core import Cause, Progress, TaskStatus, WorkerInfo
from sitq.recurring import ScheduleInfo
from sitq.views import Attempt, OutputChunk, QueueStats, Stats, TaskInfo

_INFO = (
    "state", "name", "queue", "priority", "attempt", "failures", "crashes", "enqueued", "due", "started", "finished",
    "expires", "key", "worker", "cancel", "python", "error", "done", "total", "message", "waiting", "schedule", "facts",
    "arguments", "stalled",
)  # fmt: skip


def info_of(row: Row) -> TaskInfo:
    """Read a row of the verb that lists."""
    task_id, fields = row
    told = dict(zip(_INFO, fields, strict=True))
    facts, (schedule, scheduled_at) = facts_of(told["facts"]), occurrence_of(told["schedule"])
    return TaskInfo(
        id=task_id.decode(),
        name=text_of(told["name"]),
        queue=text_of(told["queue"]),
        status=status_of(told["state"]),
        priority=int(told["priority"] or 0),
        attempt=int(told["attempt"]),
        max_attempts=facts.max_attempts,
        failures=int(told["failures"] or 0),
        crashes=int(told["crashes"] or 0),
        enqueued_at=moment_of(told["enqueued"]),
        due_at=moment_of(told["due"]),
        started_at=optional(moment_of, told["started"]),
        finished_at=optional(moment_of, told["finished"]),
        expires_at=optional(moment_of, told["expires"]),
        timeout=facts.timeout,
        key=optional(text_of, told["key"]),
        worker=optional(text_of, told["worker"]),
        executor=facts.executor,
        cancel_requested=told["cancel"] is not None,
        stalled=bool(told["stalled"]),
        waits_for=_waits_for(told["state"], told["python"], told["waiting"]),
        arguments=arguments_of(told["arguments"]),
        error=optional(text_of, told["error"]),
        tags=facts.tags,
        meta=facts.meta,
        progress=_progress(told["done"], told["total"], told["message"]),
        schedule=schedule,
        scheduled_at=scheduled_at,
    )


def _waits_for(state: bytes, python: bytes | None, waiting: bytes | None) -> str | None:
    if state == b"parked":
        return waits_for_python(optional(text_of, python))
    return waits_for_tasks(int(waiting or 0)) if state == b"blocked" else None


def _progress(done: bytes | None, total: bytes | None, message: bytes | None) -> Progress | None:
    if done is None and total is None and message is None:
        return None
    return Progress(optional(float, done), optional(float, total), optional(text_of, message))


def attempts_of(task_id: str, answer: Row) -> list[Attempt]:
    """Read the earlier attempts of a task, and its last one."""
    earlier, last = answer
    numbered = sorted((int(earlier[place]), earlier[place + 1]) for place in range(0, len(earlier), 2))
    found = [_earlier(task_id, number, json.loads(text_of(word))) for number, word in numbered]
    if last:
        _, number, worker, started, finished, cause, error, traceback = last
        ended = finished is not None
        found.append(
            Attempt(
                task_id=task_id,
                attempt=int(number),
                worker=optional(text_of, worker),
                started_at=optional(moment_of, started),
                finished_at=optional(moment_of, finished),
                cause=Cause(cause.decode()) if ended and cause else None,
                error=optional(text_of, error) if ended else None,
                traceback=optional(text_of, traceback),
            )
        )
    return found


def _earlier(task_id: str, number: int, facts: dict[str, Any]) -> Attempt:
    cause = facts.get("ca")
    return Attempt(
        task_id=task_id,
        attempt=number,
        worker=facts.get("w"),
        started_at=optional(moment_of, facts.get("st")),
        finished_at=optional(moment_of, facts.get("fi")),
        cause=Cause(cause) if cause else None,
        error=facts.get("er"),
        traceback=facts.get("tb"),
    )


def chunk_of(entry: Row) -> OutputChunk:
    place, (_, attempt, _, written, _, stream, _, text) = entry
    return OutputChunk(int(place.partition(b"-")[0]), int(attempt), stream.decode(), moment_of(written), text_of(text))


def schedule_of(row: Row) -> ScheduleInfo:
    name, cron, every, timezone, catch_up, task_name, queue, arguments, paused, next_at, last_at, created_at = row
    return ScheduleInfo(
        name=text_of(name),
        cron=optional(text_of, cron),
        every=None if every is None else in_seconds(int(every)),
        timezone=optional(text_of, timezone),
        catch_up=catch_up.decode(),
        task_name=text_of(task_name),
        queue=text_of(queue),
        created_at=moment_of(created_at),
        arguments=arguments_of(arguments),
        paused=paused is not None,
        next_at=optional(moment_of, next_at),
        last_at=optional(moment_of, last_at),
    )


def _by_lane(flat: Row) -> dict[str, int]:
    return {text_of(flat[place]): int(flat[place + 1]) for place in range(0, len(flat), 2)}


def stats_of(answer: Row) -> Stats:
    counts, paused, oldest, due, workers = answer
    by_state: dict[str, dict[str, int]] = {}
    for field, number in _by_lane(counts).items():
        state, _, queue = field.partition(" ")
        by_state.setdefault(queue, {})[state] = number
    stopped, since, late = set(map(text_of, paused)), _by_lane(oldest), _by_lane(due)
    return Stats(
        queues=tuple(
            _lane(queue, by_state.get(queue, {}), queue in stopped, since.get(queue), late.get(queue, 0))
            for queue in sorted({*by_state, *stopped})
        ),
        workers=tuple(_worker(row) for row in workers),
    )


def _lane(queue: str, counts: dict[str, int], paused: bool, oldest: int | None, late: int) -> QueueStats:
    by_status = dict.fromkeys(map(str, TaskStatus), 0)
    for state, number in counts.items():
        by_status[status_of(state.encode())] += number
    return QueueStats(
        queue=queue,
        paused=paused,
        scheduled=counts.get("scheduled", 0) - late,
        oldest_due_at=optional(moment_of, oldest),
        **by_status,
    )


def _worker(row: Row) -> WorkerInfo:
    worker_id, (host, pid, process, queues, max_concurrency, python, started, seen, alive, running) = row
    lanes = json.loads(queues)
    return WorkerInfo(
        id=worker_id.decode(),
        host=text_of(host),
        pid=int(pid),
        process=process.decode(),
        queues=None if lanes is None else tuple(lanes),
        max_concurrency=int(max_concurrency),
        python=python.decode(),
        started_at=moment_of(started),
        seen_at=moment_of(seen),
        running=running,
        alive=bool(alive),
    )
