"""Copies what one store keeps into another, so that a notebook's file can grow into a server."""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

from sitq.backends.base import Backend
from sitq.core import FINAL, Result, Task, TaskStatus
from sitq.exceptions import TaskQueueError
from sitq.views import Order, TaskInfo, TaskQuery

_PAGE = 500  # tasks in one transaction
_OVER = 1e-6  # seconds left of a time that is over; an expiry is more than nothing


class Migration(NamedTuple):
    """What was copied, and what was not.

    Attributes:
        unfinished: pending tasks that are new in the target.
        finished: ended tasks that are new in the target, those included whose values others need.
        schedules: schedules that are new in the target.
        running: tasks that were running in the source, and were left out.
        held: pending tasks that were left out since an unfinished task in the target holds their key.
    """

    unfinished: int = 0
    finished: int = 0
    schedules: int = 0
    running: int = 0
    held: int = 0


async def migrate(
    source: Backend, target: Backend, *, finished: bool = False, on_progress: Callable[[int], object] | None = None
) -> Migration:
    """Copy all unfinished tasks and schedules, the oldest first; the source stays as it is.

    Ids, options, due moments and dependencies are kept; attempts begin anew, and output stays behind. What the target
    has already is left as it is, so that an interrupted migration is simply run again.

    Args:
        source: open, and no worker is at work on it.
        target: open.
        finished: copy ended tasks with their results too.
        on_progress: called with the number of tasks looked at so far.

    Raises:
        TaskQueueError: workers are at work on the source.
    """
    await _refuse_workers(source)
    done = Migration(schedules=await _copy_schedules(source, target))
    seen = 0
    async for page in _pages(source, finished=finished):
        done = _add(done, await _copy(source, target, page))
        seen += len(page)
        if on_progress is not None:
            on_progress(seen)
    for lane in (await source.stats()).queues:
        if lane.paused:
            await target.set_paused(lane.queue, True)
    return done


async def _refuse_workers(source: Backend) -> None:
    working = [worker.id for worker in (await source.stats()).workers if worker.alive]
    if working:
        raise TaskQueueError(
            f"{working[0]} is at work on {source!r}, and the same tasks would run in both stores; "
            "stop its workers first, or wait for the lease of one that was killed"
        )


async def _pages(source: Backend, *, finished: bool) -> AsyncIterator[list[TaskInfo]]:
    statuses = () if finished else (TaskStatus.PENDING, TaskStatus.RUNNING)
    query = TaskQuery(statuses=statuses, order=Order.OLDEST, limit=_PAGE)
    while page := await source.list_tasks(query):
        yield page
        query = replace(query, before=page[-1].id)


async def _copy(source: Backend, target: Backend, page: Sequence[TaskInfo]) -> Migration:
    tasks = await source.tasks([info.id for info in page])
    restored = await _restore(source, target, tasks, {info.id for info in page if info.status in FINAL})
    pending = [_as_due(tasks[info.id], info) for info in page if info.status is TaskStatus.PENDING and info.id in tasks]
    known = await target.results([task.id for task in pending])
    new = [task for task in pending if task.id not in known]
    answers = await target.enqueue(new) if new else []
    held = sum(answer != task.id for task, answer in zip(new, answers, strict=True))
    running = sum(info.status is TaskStatus.RUNNING for info in page)
    return Migration(unfinished=len(new) - held, finished=restored, running=running, held=held)


async def _restore(source: Backend, target: Backend, tasks: dict[str, Task], final: Collection[str]) -> int:
    """Copy the final tasks of a page, and those that its other tasks need."""
    needed = {task_id for task in tasks.values() if task.id not in final for task_id in (*task.needs, *task.after)}
    apart = needed - tasks.keys()
    results = await source.results([*final, *needed])
    tasks = {**tasks, **(await source.tasks(apart) if apart else {})}
    ended = [
        (tasks[task_id], result)
        for task_id, result in sorted(results.items(), key=_by_age)
        if result.status.is_final and task_id in tasks
    ]
    return len(await target.restore(ended)) if ended else 0


def _by_age(item: tuple[str, Result]) -> tuple[str, str]:
    moment = item[1].enqueued_at
    return ("" if moment is None else moment.isoformat(), item[0])


def _as_due(task: Task, info: TaskInfo) -> Task:
    eta = info.due_at if info.due_at > info.enqueued_at else None
    if info.expires_at is None:
        return task._replace(eta=eta, expires=None)
    left = (info.expires_at - datetime.now(UTC)).total_seconds()
    return task._replace(eta=eta, expires=max(left, _OVER))


async def _copy_schedules(source: Backend, target: Backend) -> int:
    known = {info.name for info in await target.schedules()}
    paused = {info.name for info in await source.schedules() if info.paused}
    copied = [schedule for schedule in await source.stored_schedules() if schedule.name not in known]
    for schedule in copied:
        await target.put_schedule(schedule)
        if schedule.name in paused:
            await target.set_schedule_paused(schedule.name, True)
    return len(copied)


def _add(first: Migration, second: Migration) -> Migration:
    return Migration(*(a + b for a, b in zip(first, second, strict=True)))
