"""The contract in plain Python: what a store must answer, told by dictionaries and loops, to hold stores against.

It is as slow as it is simple. Its clock, which counts microseconds, goes on by one at each verb that acts, and by
`advance`.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from datetime import UTC, datetime

from contract.builders import THIS_PYTHON
from contract.kept import SECOND, Kept, KeptSchedule
from sitq.core import (
    FINAL,
    Cause,
    Claim,
    OnConflict,
    OnFailure,
    Outcome,
    Report,
    Task,
    TaskStatus,
    WorkerInfo,
)
from sitq.exceptions import TaskQueueError
from sitq.recurring import Firing, Schedule
from sitq.views import TaskInfo

_NEVER_BEGAN = "TaskCancelledError: it was cancelled before it started"
_EXPIRED = "TaskCancelledError: it did not start before it expired"
_BETWEEN = "TaskCancelledError: it was cancelled between two attempts"
_BAD = {TaskStatus.FAILED: "failed", TaskStatus.CANCELLED: "was cancelled"}
_CHARGED = (Cause.ERROR, Cause.TIMEOUT)


class Model:
    """Answers the verbs of a `Backend`, by the same names.

    Args:
        waits_again: who was let go and has not started waits again for a need that is requeued.
    """

    def __init__(self, *, waits_again: bool = False) -> None:
        self.waits_again = waits_again
        self.now = round(datetime(2050, 1, 1, tzinfo=UTC).timestamp()) * SECOND
        self.kept: dict[str, Kept] = {}
        self.workers: set[str] = set()
        self.paused: set[str] = set()
        self.recurring: dict[str, KeptSchedule] = {}
        self._places = 0

    def advance(self, seconds: float) -> None:
        self.now += round(seconds * SECOND)

    def _after(self, seconds: float) -> int:
        return self.now + round(seconds * SECOND)

    # The producer's verbs

    def enqueue(self, tasks: Sequence[Task]) -> list[str]:
        self.now += 1
        before = deepcopy(self.kept)
        try:
            return [self._enqueue_one(task) for task in tasks]
        except TaskQueueError:
            self.kept = before
            raise

    def _enqueue_one(self, task: Task) -> str:
        if task.id in self.kept:
            return task.id
        if (holder := self._holder(task.key)) is not None:
            if task.on_conflict is OnConflict.RETURN:
                return holder.task.id
            if task.on_conflict is OnConflict.RAISE or holder.status is TaskStatus.RUNNING:
                raise TaskQueueError(f"key of {task.id} is held")
            self._cancel([holder], f"replaced by {task.id}")
        for need in (*task.needs, *task.after):
            if need not in self.kept:
                raise TaskQueueError(f"{task.id} needs {need}")
        self._keep(task)
        return task.id

    def _holder(self, key: str | None) -> Kept | None:
        return next((kept for kept in self.kept.values() if key and kept.task.key == key and kept.unfinished), None)

    def _keep(self, task: Task) -> None:
        self._places += 1
        kept = Kept(
            task=task,
            place=self._places,
            due=self._after(task.delay) if task.eta is None else round(task.eta.timestamp() * SECOND),
            expires_at=None if task.expires is None else self._after(task.expires),
            needs={**dict.fromkeys(task.after, False), **dict.fromkeys(task.needs, True)},
        )
        self.kept[task.id] = kept
        kept.blocked = self._waiting(kept) > 0
        bad = next((need for need in kept.needs if self.kept[need].status in _BAD), None)
        if bad is not None and task.on_failure is not OnFailure.RUN:
            self._settle([self._meet_policy(kept, bad, _BAD[self.kept[bad].status])])

    # What follows when tasks end

    def _end(self, kept: Kept, status: TaskStatus, cause: Cause, error: str | None) -> None:
        if kept.status is TaskStatus.RUNNING:
            kept.history.setdefault(kept.attempt, cause)
        kept.status, kept.error, kept.blocked, kept.stop = status, error, False, False
        kept.ended_at = self.now
        if kept.task.retention is not None:
            kept.purge_at = self._after(kept.task.retention)

    def _settle(self, ended: Iterable[Kept], how: str | None = None) -> None:
        """Let those go that waited for tasks which have ended, or end them by their policy, and so on."""
        for gone in ended:
            reason = how or _BAD.get(gone.status)
            for kept in self._waiting_for(gone):
                if reason and kept.task.on_failure is not OnFailure.RUN:
                    self._settle([self._meet_policy(kept, gone.task.id, reason)])
                else:
                    kept.blocked = self._waiting(kept) > 0

    def _waiting_for(self, ended: Kept) -> list[Kept]:
        return [kept for kept in self.kept.values() if kept.blocked and ended.task.id in kept.needs]

    def _meet_policy(self, kept: Kept, need: str, how: str) -> Kept:
        fails = kept.task.on_failure is OnFailure.FAIL
        status, cause = (TaskStatus.FAILED, Cause.ERROR) if fails else (TaskStatus.CANCELLED, Cause.CANCELLED)
        name = "TaskExecutionError" if fails else "TaskCancelledError"
        self._end(kept, status, cause, f"{name}: task {need}, which it needs, {how}")
        return kept

    def _cancel(self, pending: Sequence[Kept], error: str) -> None:
        for kept in pending:
            self._end(kept, TaskStatus.CANCELLED, Cause.CANCELLED, error)
        self._settle(pending)

    # The worker's verbs

    def claim(self, worker_id: str, queues: Sequence[str] | None, *, limit: int, lease: float) -> list[Claim]:
        self.now += 1
        claims: list[Claim] = []
        while worker_id in self.workers and len(claims) < limit and (kept := self._next(queues)):
            if kept.expires_at is not None and kept.expires_at < self.now:
                self._cancel([kept], _EXPIRED)
            else:
                claims.append(self._hand_out(kept, worker_id))
        return claims

    def _next(self, queues: Sequence[str] | None) -> Kept | None:
        """Choose by priority, due moment and age among what can be claimed."""
        claimable = [
            kept
            for kept in self.kept.values()
            if kept.is_free
            and kept.due <= self.now
            and kept.task.queue not in self.paused
            and (queues is None or kept.task.queue in queues)
            and kept.task.python in (None, THIS_PYTHON)
        ]
        return min(claimable, key=lambda kept: (-kept.task.priority, kept.due, kept.place), default=None)

    def _hand_out(self, kept: Kept, worker_id: str) -> Claim:
        kept.status, kept.worker = TaskStatus.RUNNING, worker_id
        kept.attempt += 1
        task = kept.task
        return Claim(
            id=task.id,
            attempt=kept.attempt,
            name=task.name,
            queue=task.queue,
            payload=task.payload,
            failures=kept.failures,
            crashes=kept.crashes,
            max_attempts=task.max_attempts,
            timeout=task.timeout,
            executor=task.executor,
            waited=bool(task.needs or task.after),
            meta=task.meta,
            scheduled_at=kept.scheduled_at,
        )

    def finish(self, outcomes: Sequence[Outcome]) -> set[str]:
        self.now += 1
        accepted = set()
        for outcome in outcomes:
            kept = self.kept.get(outcome.id)
            if kept is not None and kept.runs(outcome.attempt):
                self._finish_one(kept, outcome)
                accepted.add(outcome.id)
        return accepted

    def _finish_one(self, kept: Kept, outcome: Outcome) -> None:
        if outcome.status.is_final:
            self._end(kept, outcome.status, outcome.cause, outcome.error)
            kept.value, kept.traceback = outcome.value, outcome.traceback
            self._settle([kept])
        else:
            began = outcome.cause is not Cause.RELEASED or outcome.duration > 0
            self._put_back(kept, outcome.cause, outcome.error, began=began)
            kept.due = self._after(outcome.delay)

    def exchange(
        self, outcomes: Sequence[Outcome], worker_id: str, queues: Sequence[str] | None, *, limit: int, lease: float
    ) -> tuple[set[str], list[Claim]]:
        accepted = self.finish(outcomes)
        return accepted, self.claim(worker_id, queues, limit=limit, lease=lease)

    def _put_back(self, kept: Kept, cause: Cause, error: str | None, *, began: bool) -> None:
        """Make a running task pending again, or cancelled if somebody asked for that."""
        if began:
            kept.history[kept.attempt] = cause
        kept.status = TaskStatus.PENDING
        if kept.stop:
            self._cancel([kept], _BETWEEN)
            return
        kept.progress, kept.error = None, error or kept.error
        kept.failures += cause in _CHARGED
        kept.crashes += cause is Cause.LOST

    def heartbeat(self, worker: WorkerInfo, claims: Mapping[str, int], *, lease: float) -> set[str]:
        self.now += 1
        if worker.id not in self.workers:
            if lease > 0:
                self.workers.add(worker.id)
            return set(claims)
        held = {kept.task.id: kept for kept in self.held_by(worker.id)}
        lost = {task_id for task_id, number in claims.items() if task_id not in held or held[task_id].attempt != number}
        stops = {task_id for task_id, kept in held.items() if kept.stop}
        if lease <= 0:
            self._let_worker_go(worker.id, Cause.RELEASED, None)
        return lost | stops

    def stop_requests(self, worker_id: str) -> set[str]:
        return {kept.task.id for kept in self.held_by(worker_id) if kept.stop}

    def bury(self, worker_id: str) -> None:
        """Do what another worker's claim does when this one has surely died."""
        self._let_worker_go(worker_id, Cause.LOST, f"TaskLostError: worker {worker_id} died while running it")

    def held_by(self, worker_id: str) -> list[Kept]:
        return [kept for kept in self.kept.values() if kept.status is TaskStatus.RUNNING and kept.worker == worker_id]

    def _let_worker_go(self, worker_id: str, cause: Cause, error: str | None) -> None:
        for kept in self.held_by(worker_id):
            self._put_back(kept, cause, error, began=True)
        self.workers.discard(worker_id)

    def report(self, reports: Sequence[Report]) -> None:
        for report in reports:
            kept = self.kept.get(report.id)
            if kept is not None and kept.runs(report.attempt):
                kept.progress = report.progress or kept.progress
                kept.output += [(report.attempt, stream, text) for stream, text in report.output]

    # The verbs of people

    def _known(self, ids: Collection[str]) -> list[Kept]:
        """Find tasks, the oldest first."""
        return [kept for kept in self.kept.values() if kept.task.id in ids]

    def cancel(self, ids: Collection[str]) -> set[str]:
        self.now += 1
        reached = [kept for kept in self._known(ids) if kept.unfinished]
        for kept in reached:
            kept.stop = kept.status is TaskStatus.RUNNING
        self._cancel([kept for kept in reached if not kept.stop], _NEVER_BEGAN)
        return {kept.task.id for kept in reached}

    def requeue(self, ids: Collection[str]) -> set[str]:
        self.now += 1
        reached = set()
        for kept in self._known(ids):
            if kept.status in _BAD and self._holder(kept.task.key) is None:
                self._requeue_one(kept)
                if self.waits_again:
                    self._let_wait_again(kept)
                reached.add(kept.task.id)
        return reached

    def _requeue_one(self, kept: Kept) -> None:
        kept.status, kept.due, kept.expires_at, kept.purge_at = TaskStatus.PENDING, self.now, None, None
        kept.failures = kept.crashes = 0
        kept.error = kept.traceback = kept.value = kept.progress = None
        kept.blocked = self._waiting(kept) > 0

    def _let_wait_again(self, need: Kept) -> None:
        for kept in self.kept.values():
            kept.blocked = kept.blocked or (kept.is_free and need.task.id in kept.needs)

    def run_now(self, ids: Collection[str]) -> set[str]:
        self.now += 1
        ahead = [kept for kept in self._known(ids) if kept.is_free and kept.due > self.now]
        for kept in ahead:
            kept.due = self.now
        return {kept.task.id for kept in ahead}

    def delete(self, ids: Collection[str]) -> set[str]:
        self.now += 1
        gone = [kept for kept in self._known(ids) if kept.status is not TaskStatus.RUNNING]
        for kept in gone:
            del self.kept[kept.task.id]
        self._settle([kept for kept in gone if kept.unfinished], "was deleted")
        self._forget(gone)
        return {kept.task.id for kept in gone}

    def purge(
        self, *, older_than: float | None = None, statuses: Collection[TaskStatus] | None = None, limit: int = 500
    ) -> int:
        self.now += 1
        needed = {need for kept in self.kept.values() if kept.unfinished for need in kept.needs}
        gone = [
            kept
            for kept in self.kept.values()
            if kept.status in (FINAL if statuses is None else statuses)
            and kept.task.id not in needed
            and kept.is_over(self.now, older_than)
        ]
        for kept in gone:
            del self.kept[kept.task.id]
        self._forget(gone)
        return len(gone)

    def _forget(self, gone: Sequence[Kept]) -> None:
        for kept in self.kept.values():
            for one in gone:
                kept.needs.pop(one.task.id, None)

    def set_paused(self, queue: str, paused: bool) -> None:
        (self.paused.add if paused else self.paused.discard)(queue)

    # The verbs of schedules; what a store gives ids to is told here which ones

    def put_schedule(self, schedule: Schedule) -> None:
        known = self.recurring.get(schedule.name)
        new = KeptSchedule(schedule, schedule.next_at, paused=known is not None and known.paused)
        if known is not None and _recurs(known.schedule) == _recurs(schedule):
            new.next_at, new.last_at = known.next_at or new.next_at, known.last_at
        self.recurring[schedule.name] = new

    def remove_schedule(self, name: str) -> bool:
        return self.recurring.pop(name, None) is not None

    def set_schedule_paused(self, name: str, paused: bool, *, next_at: datetime | None = None) -> bool:
        known = self.recurring.get(name)
        if known is None:
            return False
        if known.paused and not paused:
            known.next_at = next_at
        known.paused = paused
        return True

    def fire(self, firing: Firing, ids: Iterator[str]) -> list[str] | None:
        self.now += 1
        known = self.recurring.get(firing.schedule)
        if known is None or known.paused or known.next_at != firing.due_at:
            return None
        known.next_at = firing.next_at
        known.last_at = firing.occurrences[-1] if firing.occurrences else known.last_at
        fired = [self._fire_one(known.schedule, occurrence, ids) for occurrence in firing.occurrences]
        return [task_id for task_id in fired if task_id is not None]

    def _fire_one(self, schedule: Schedule, occurrence: datetime, ids: Iterator[str]) -> str | None:
        holder = self._holder(schedule.task.key)
        replaces = schedule.task.on_conflict is OnConflict.REPLACE
        if holder is not None and (holder.status is TaskStatus.RUNNING or not replaces):
            return None
        return self._store_occurrence(schedule, occurrence, next(ids, "not stored"))

    def run_schedule_now(self, name: str, occurrence: datetime, task_id: str) -> str:
        self.now += 1
        return self._store_occurrence(self.recurring[name].schedule, occurrence, task_id)

    def _store_occurrence(self, schedule: Schedule, occurrence: datetime, task_id: str) -> str:
        holder = self._holder(schedule.task.key)
        if holder is not None and holder.task.id == task_id:  # the store's answer: what it would store is not new
            return task_id
        stored = self._enqueue_one(schedule.task._replace(id=task_id, eta=None, delay=0.0))
        if stored == task_id:
            self.kept[task_id].schedule, self.kept[task_id].scheduled_at = schedule.name, occurrence
        return stored

    # What can be read

    def count(self, queue: str, status: TaskStatus) -> int:
        return sum(kept.task.queue == queue and kept.status is status for kept in self.kept.values())

    def list_tasks(self) -> list[TaskInfo]:
        return [kept.info(self._waiting(kept)) for kept in self.kept.values()]

    def _waiting(self, kept: Kept) -> int:
        return sum(need in self.kept and self.kept[need].unfinished for need in kept.needs)


def _recurs(schedule: Schedule) -> tuple[str | None, float | None, str | None]:
    return schedule.cron, schedule.every, schedule.timezone
