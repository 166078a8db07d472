"""Plans and carries out what a person wants done, page by page, and stops between two pages when told to."""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from sitq.core import TaskStatus
from sitq.exceptions import SitqError
from sitq.inspector import Inspector
from sitq.sanitize import Clean, clean
from sitq.views import TaskInfo, TaskQuery
from sitq_monitor.deed import PLAN_LIMIT, Action, Done, Plan, Progress, Scope, Tally
from sitq_monitor.feed.answers import query_of

BATCH = 500
"""Tasks in one transaction at most, so that workers get their turn in between."""
NAMES = 4
MESSAGE_LIMIT = 400


class Report(NamedTuple):
    """How a deed tells how far it has come, and learns whether to go on."""

    tell: Callable[[Progress], None]
    is_halted: Callable[[], bool]


async def make_plan(inspector: Inspector, action: Action, scope: Scope) -> Plan:
    """Look what an action would reach, and change nothing."""
    counts: Counter[TaskStatus] = Counter()
    names: dict[str, None] = {}
    async for page in pages(inspector, scope):
        counts.update(info.status for info in page)
        names |= dict.fromkeys(info.name for info in page if info.status in action.reaches and len(names) < NAMES)
        if counts.total() >= PLAN_LIMIT:
            break
    counted_all = counts.total() < PLAN_LIMIT
    if not counted_all and scope.ids is None and scope.filter.is_plain:
        counts, counted_all = await _counted_by_store(inspector, scope), True
    return Plan(
        action=action,
        scope=scope,
        eligible=sum(number for status, number in counts.items() if status in action.reaches),
        skipped=tuple(
            (status, counts[status]) for status in TaskStatus if counts[status] and status not in action.reaches
        ),
        names=tuple(map(clean, list(names)[:NAMES])),
        counted_all=counted_all,
    )


async def _counted_by_store(inspector: Inspector, scope: Scope) -> Counter[TaskStatus]:
    stats = await inspector.stats()
    statuses = (scope.filter.status,) if scope.filter.status else TaskStatus
    return Counter({status: stats.count(status) for status in statuses})


async def carry_out(inspector: Inspector, plan: Plan, report: Report) -> Tally:
    """Do what was planned, in batches that leave alone what has moved on."""
    verb = getattr(inspector, plan.action.value)
    asked = reached = 0
    trouble: Clean | None = None
    of = plan.eligible if plan.counted_all else None
    try:
        async for page in pages(inspector, plan.scope, plan.action.reaches):
            asked += len(page)
            reached += len(await verb([info.id for info in page]))
            report.tell(Progress(what=clean(plan.action), done=asked, of=of))
            if report.is_halted():
                break
    except SitqError as exc:
        trouble = clean(str(exc), MESSAGE_LIMIT)
    asked_all = asked >= plan.eligible and plan.counted_all
    stopped = trouble is None and report.is_halted() and not asked_all
    return Tally(action=plan.action, asked=asked, reached=reached, stopped=stopped, trouble=trouble)


async def set_paused(inspector: Inspector, queue: str, paused: bool) -> Done:
    """Stop or resume handing out a lane's tasks."""
    await (inspector.pause(queue) if paused else inspector.resume(queue))
    return Done(words=clean(f"queue {queue} {'is paused: what runs goes on' if paused else 'goes on'}"))


async def set_schedule_paused(inspector: Inspector, name: str, paused: bool) -> Done:
    """Let a schedule fire no more, or again."""
    found = await (inspector.pause_schedule(name) if paused else inspector.resume_schedule(name))
    if not found:
        return Done(words=clean(f"there is no schedule {name} any more"), failed=True)
    return Done(words=clean(f"schedule {name} {'is paused' if paused else 'goes on'}"))


async def run_schedule(inspector: Inspector, name: str) -> Done:
    """Enqueue a task of a schedule at once, beside its occurrences."""
    task_id = await inspector.run_schedule_now(name)
    return Done(words=clean(f"schedule {name} has enqueued task {task_id}"))


async def pages(
    inspector: Inspector, scope: Scope, statuses: frozenset[TaskStatus] = frozenset(TaskStatus)
) -> AsyncIterator[list[TaskInfo]]:
    """Yield the tasks of a scope that are in these states, in batches."""
    read = _pages_by_ids(inspector, scope) if scope.ids is not None else _pages_by_filter(inspector, scope, statuses)
    async for page in read:
        if wanted := [info for info in page if info.status in statuses]:
            yield wanted


async def _pages_by_ids(inspector: Inspector, scope: Scope) -> AsyncIterator[list[TaskInfo]]:
    ids = scope.ids or ()
    for start in range(0, len(ids), BATCH):
        batch = tuple(ids[start : start + BATCH])
        yield await inspector.list_tasks(TaskQuery(ids=batch, limit=len(batch)))


async def _pages_by_filter(
    inspector: Inspector, scope: Scope, statuses: frozenset[TaskStatus]
) -> AsyncIterator[list[TaskInfo]]:
    wanted = statuses & ({scope.filter.status} if scope.filter.status else statuses)
    if not wanted:
        return
    until = min(scope.filter.until or scope.asked_at, scope.asked_at)
    among = tuple(wanted) if len(wanted) < len(TaskStatus) else ()
    last: str | None = None
    while page := await inspector.list_tasks(
        query_of(scope.filter, statuses=among, until=until, before=last, limit=BATCH)
    ):
        yield page
        last = page[-1].id
