"""Plans and carries out what a person wants done, page by page, and stops between two pages when told to."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from sitq.core import TaskStatus
from sitq.exceptions import SitqError
from sitq.inspector import Inspector
from sitq.sanitize import Clean, clean
from sitq.views import Stats, TaskInfo, TaskQuery
from sitq_monitor.deed import PLAN_LIMIT, Action, Done, Plan, Progress, Scope, Tally
from sitq_monitor.feed.answers import among, query_of
from sitq_monitor.format import FACES
from sitq_monitor.view import MESSAGE_LIMIT

BATCH = 500
"""Tasks in one transaction at most, so that workers get their turn in between."""
NAMES = 4
PHASES = tuple(FACES)


class Report(NamedTuple):
    """How a deed tells how far it has come, and learns whether to go on."""

    tell: Callable[[Progress], None]
    is_halted: Callable[[], bool]


async def make_plan(inspector: Inspector, action: Action, scope: Scope) -> Plan:
    """Look what an action would reach, and change nothing."""
    found = _Found(action)
    async for page in pages(inspector, scope):
        found.add(page, datetime.now(UTC))
        if found.total >= PLAN_LIMIT:
            break
    counted_all = found.total < PLAN_LIMIT
    if not counted_all and scope.ids is None and scope.filter.is_plain:
        found.count(await inspector.stats(), scope.filter.statuses)
        counted_all = True
    return Plan(
        action=action,
        scope=scope,
        eligible=found.eligible,
        skipped=tuple(sorted(found.skipped.items(), key=lambda one: PHASES.index(one[0]))),
        names=tuple(map(clean, list(found.names)[:NAMES])),
        arguments=clean(found.arguments) if found.arguments and found.eligible == 1 else None,
        counted_all=counted_all,
    )


class _Found:
    """Counts tasks that an action would reach, and those that it would leave alone."""

    def __init__(self, action: Action) -> None:
        self._action = action
        self.eligible = 0
        self.skipped: Counter[str] = Counter()
        self.names: dict[str, None] = {}
        self.arguments: str | None = None

    @property
    def total(self) -> int:
        return self.eligible + self.skipped.total()

    def add(self, page: Sequence[TaskInfo], now: datetime) -> None:
        """Look at tasks one by one."""
        for info in page:
            phase = info.phase(now)
            if not self._action.may(info.status, phase):
                self.skipped[phase if info.status in self._action.reaches else info.status.value] += 1
                continue
            self.eligible += 1
            self.arguments = info.arguments
            if len(self.names) < NAMES:
                self.names[info.name] = None

    def count(self, stats: Stats, statuses: frozenset[TaskStatus]) -> None:
        """Take the store's own counts of a state instead, or of all of them."""
        counts = Counter({status.value: stats.count(status) for status in statuses})
        scheduled = sum(lane.scheduled for lane in stats.queues)
        if self._action is Action.RUN_NOW and counts["pending"]:
            counts += Counter({"scheduled": scheduled})
            counts["pending"] -= scheduled
        eligible = [phase for phase in counts if self._action.may(_status_of(phase), phase)]
        self.eligible = sum(counts.pop(phase) for phase in eligible)
        self.skipped = +counts


def _status_of(phase: str) -> TaskStatus:
    return TaskStatus.PENDING if phase == "scheduled" else TaskStatus(phase)


async def carry_out(inspector: Inspector, plan: Plan, report: Report) -> Tally:
    """Do what was planned, in batches that leave alone what has moved on."""
    action = plan.action
    verb = getattr(inspector, action.value)
    asked = reached = 0
    trouble: Clean | None = None
    of = plan.eligible if plan.counted_all else None
    try:
        async for page in pages(inspector, plan.scope, action.reaches):
            now = datetime.now(UTC)
            ids = [info.id for info in page if action.may(info.status, info.phase(now))]
            asked += len(ids)
            reached += len(await verb(ids)) if ids else 0
            report.tell(Progress(what=action.words, done=asked, of=of))
            if report.is_halted():
                break
    except SitqError as exc:
        trouble = clean(str(exc), MESSAGE_LIMIT)
    asked_all = asked >= plan.eligible and plan.counted_all
    stopped = trouble is None and report.is_halted() and not asked_all
    return Tally(action=action, asked=asked, reached=reached, stopped=stopped, trouble=trouble)


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
    wanted = statuses & scope.filter.statuses
    if not wanted:
        return
    until = min(scope.filter.until or scope.asked_at, scope.asked_at)
    last: str | None = None
    while page := await inspector.list_tasks(
        query_of(scope.filter, statuses=among(wanted), until=until, before=last, limit=BATCH)
    ):
        yield page
        last = page[-1].id
