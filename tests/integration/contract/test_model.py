"""Whatever is asked of a store, in whatever order, it answers as the model of the contract does."""

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from servers import Servers

from contract.builders import (
    HOUR,
    cancellation,
    eventually,
    failure,
    look_up,
    make_dead_worker,
    make_task,
    make_worker,
    retry,
    success,
)
from contract.kept import SOME_TIME
from contract.model import Model
from contract.stores import STORES, MakeStore
from sitq.backends.base import Backend
from sitq.backends.sqlite import MemoryBackend, SQLiteBackend
from sitq.core import (
    Cause,
    Claim,
    OnConflict,
    OnFailure,
    Outcome,
    Progress,
    Report,
    Result,
    Task,
    TaskStatus,
    WorkerInfo,
)
from sitq.exceptions import TaskQueueError
from sitq.recurring import Firing, Schedule
from sitq.testing import Clock
from sitq.views import Attempt, TaskInfo, TaskQuery

LANES = ("mail", "video")
LEASE = 600.0
BRIEF = "brief"  # the lane of tasks that expire: all of it is claimed at once, since who is noticed first is left open
PAST, FUTURE = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
ENDS: dict[str, Callable[[Claim], Outcome]] = {
    "success": success,
    "long success": lambda claim: success(claim, bytes(3000)),
    "failure": failure,
    "timeout": lambda claim: failure(claim, Cause.TIMEOUT),
    "cancellation": cancellation,
    "retry": retry,
    "later": lambda claim: retry(claim, delay=HOUR),
    "lost": lambda claim: retry(claim, Cause.LOST),
    "snooze": lambda claim: retry(claim, Cause.SNOOZED),
    "unbegun": lambda claim: retry(claim, Cause.RELEASED)._replace(duration=0.0, error=None, traceback=None),
    "late": lambda claim: success(claim._replace(attempt=claim.attempt + 1)),
}

places = st.lists(st.integers(0, 30), max_size=3)  # of tasks among those stored, of claims among those handed out
fields = {
    "priority": st.sampled_from([0, 0, 1, -5]),
    "key": st.sampled_from([None, None, None, "a", "b"]),
    "on_conflict": st.sampled_from(OnConflict),
    "retention": st.sampled_from([None, None, 0.0, 2 * HOUR]),
    "size": st.sampled_from([7, 0, 3000]),
    "tags": st.sampled_from([(), ("red", "blue")]),
    "meta": st.sampled_from([None, {"of": ["mine", 1]}]),
    "arguments": st.sampled_from([None, "1, 'ä'"]),
    "timeout": st.sampled_from([None, 2.5]),
    "max_attempts": st.sampled_from([1, 3]),
    "executor": st.sampled_from([None, "process"]),
    "python": st.sampled_from([None, None, None, "2.7"]),
}
moments = st.sampled_from([{}, {}, {}, {"delay": HOUR}, {"eta": PAST}, {"eta": FUTURE}])
lanes = st.one_of(
    st.sampled_from(LANES).map(lambda lane: {"queue": lane}),
    st.sampled_from([0.0, HOUR / 2]).map(lambda expires: {"queue": BRIEF, "expires": expires, "python": None}),
)
new_tasks = st.fixed_dictionaries(
    {
        **fields,
        "moment": moments,
        "lane": lanes,
        "needs": places,
        "after": places,
        "on_failure": st.sampled_from(OnFailure),
    }
)


class StoreMachine(RuleBasedStateMachine):
    """Sends the same verbs to a store and to the model."""

    make: Callable[[], Backend]
    ordered: bool  # or each of several workers may prefer a part of what has the same priority: all is claimed at once
    waits_again: bool
    clock: Clock | None

    @initialize()
    def open(self) -> None:
        self.runner = asyncio.Runner()
        self.model, self.backend = Model(waits_again=self.waits_again), self.make()
        self.runner.run(self.backend.connect())
        self.workers = [make_worker(), make_worker()]
        self.claims: list[Claim] = []
        self.fresh = 0
        for worker in self.workers:
            self.same("heartbeat", worker, {}, lease=LEASE)

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            try:
                self.look()
            finally:
                self.runner.run(self.backend.close())
                self.runner.close()

    def same(self, verb: str, *arguments: Any, **options: Any) -> Any:
        """Ask both, and give back what both answer."""
        expected = _answer(lambda: getattr(self.model, verb)(*arguments, **options))
        found = _answer(lambda: self.runner.run(_ask(getattr(self.backend, verb), arguments, options)))
        _compare(verb, found, expected)
        return found

    def same_claims(self, who: WorkerInfo, queues: Sequence[str] | None, limit: int) -> list[Claim]:
        limit = limit if self.ordered else 1000
        arguments, options = (who.id, queues), {"limit": limit, "lease": LEASE}
        expected = self.model.claim(*arguments, **options)
        found = self.runner.run(self.backend.claim(*arguments, **options))
        _compare("claim", found if self.ordered else sorted(found), expected if self.ordered else sorted(expected))
        self.claims += found
        return found

    def held_by(self, who: int) -> dict[str, int]:
        return {kept.task.id: kept.attempt for kept in self.model.held_by(self.workers[who].id)}

    def ids_at(self, wanted: Sequence[int]) -> tuple[str, ...]:
        ids = list(self.model.kept)
        return tuple(dict.fromkeys(ids[place % len(ids)] for place in wanted if ids))

    def claims_at(self, wanted: Sequence[int]) -> list[Claim]:
        """Claims that were handed out, of each task at most one."""
        chosen = [self.claims[-1 - place % len(self.claims)] for place in wanted if self.claims]
        return list({claim.id: claim for claim in chosen}.values())

    @rule(new=st.lists(new_tasks, min_size=1, max_size=4))
    def enqueue(self, new: list[dict[str, Any]]) -> None:
        self.same("enqueue", [self._task(facts) for facts in new])

    @rule(new=new_tasks, missing=st.sampled_from(["needs", "after"]))
    def enqueue_with_a_need_that_is_missing(self, new: dict[str, Any], missing: str) -> None:
        self.same("enqueue", [self._task({**new, "needs": []}), self._task(new)._replace(**{missing: ("none",)})])

    @rule(place=st.integers(0, 30))
    def enqueue_again(self, place: int) -> None:
        self.same("enqueue", [self.model.kept[task_id].task._replace(name="other") for task_id in self.ids_at([place])])

    def _task(self, facts: dict[str, Any]) -> Task:
        self.fresh += 1
        given = dict(facts)
        named = {name: self.ids_at(given.pop(name)) for name in ("needs", "after")}
        if given["key"] and not self.ordered:
            named = {}  # who holds a key that is freed within a call, by what its holder needs, is not exact there
        moment, lane = given.pop("moment"), given.pop("lane")
        return _make_task(**{**given, **moment, **lane, **named, "id": f"{self.fresh:028x}"})

    @rule(who=st.integers(0, 1), queues=st.sampled_from([*[(lane,) for lane in LANES], LANES]), limit=st.integers(1, 4))
    def claim(self, who: int, queues: tuple[str, ...], limit: int) -> None:
        self.same_claims(self.workers[who], queues, limit)

    @rule(who=st.integers(0, 1), queues=st.sampled_from([None, (BRIEF,)]))
    def claim_all(self, who: int, queues: tuple[str, ...] | None) -> None:
        """Claim until nothing is left; what an expired task lets go may come with it, or with the next claim."""
        worker = self.workers[who].id
        expected = self.model.claim(worker, queues, limit=1000, lease=LEASE)
        found: list[Claim] = []
        while claims := self.runner.run(self.backend.claim(worker, queues, limit=1000, lease=LEASE)):
            found += claims
        _compare("claim", sorted(found), sorted(expected))
        self.claims += found

    @rule(wanted=places, end=st.sampled_from(sorted(ENDS)))
    def finish(self, wanted: list[int], end: str) -> None:
        self.same("finish", [ENDS[end](claim) for claim in self.claims_at(wanted)])

    @precondition(lambda self: self.ordered)
    @rule(wanted=places, end=st.sampled_from(sorted(ENDS)), who=st.integers(0, 1), limit=st.integers(0, 3))
    def exchange(self, wanted: list[int], end: str, who: int, limit: int) -> None:
        outcomes = [ENDS[end](claim) for claim in self.claims_at(wanted)]
        _, claims = self.same("exchange", outcomes, self.workers[who].id, LANES, limit=limit, lease=LEASE)
        self.claims += claims

    @rule(wanted=places, done=st.sampled_from([None, 1.0, 2.5]), text=st.sampled_from(["", "hello\n", "ä" * 2000]))
    def report(self, wanted: list[int], done: float | None, text: str) -> None:
        progress = None if done is None else Progress(done, 10.0, "half")
        output = (("stdout", text),) if text else ()
        self.same("report", [Report(claim.id, claim.attempt, progress, output) for claim in self.claims_at(wanted)])

    @rule(who=st.integers(0, 1), wanted=places)
    def heartbeat(self, who: int, wanted: list[int]) -> None:
        held = self.held_by(who)
        stale = {claim.id: claim.attempt for claim in self.claims_at(wanted)}
        self.same("heartbeat", self.workers[who], held | stale, lease=LEASE)
        self.same("stop_requests", self.workers[who].id)

    @rule(who=st.integers(0, 1), back=st.booleans())
    def say_goodbye(self, who: int, back: bool) -> None:
        self.same("heartbeat", self.workers[who], self.held_by(who), lease=0.0)
        if back:
            self.same("heartbeat", self.workers[who], {}, lease=LEASE)

    @rule(limit=st.integers(1, 3))
    def lose_a_worker(self, limit: int) -> None:
        dead, heir = make_dead_worker(), self.workers[0]
        self.same("heartbeat", heir, self.held_by(0), lease=LEASE)
        self.same("heartbeat", dead, {}, lease=LEASE)
        self.same_claims(dead, LANES, limit)
        self.runner.run(eventually(lambda: self._is_buried(dead, heir)))
        self.model.bury(dead.id)

    async def _is_buried(self, dead: WorkerInfo, heir: WorkerInfo) -> bool:
        await self.backend.claim(heir.id, ("nowhere",), limit=1, lease=LEASE)
        return all(worker.id != dead.id or not worker.alive for worker in (await self.backend.stats()).workers)

    @rule(verb=st.sampled_from(["cancel", "requeue", "run_now", "delete"]), wanted=places)
    def reach(self, verb: str, wanted: list[int]) -> None:
        self.same(verb, self.ids_at(wanted))

    @rule(verb=st.sampled_from(["cancel", "requeue"]))
    def reach_all(self, verb: str) -> None:
        self.same(verb, tuple(self.model.kept))

    @rule(
        statuses=st.sampled_from([None, [TaskStatus.SUCCESS], list(TaskStatus)[3:]]), age=st.sampled_from([None, 0.0])
    )
    def purge(self, statuses: list[TaskStatus] | None, age: float | None) -> None:
        self.same("purge", older_than=age, statuses=statuses)

    @rule(queue=st.sampled_from(LANES), paused=st.booleans())
    def pause(self, queue: str, paused: bool) -> None:
        self.same("set_paused", queue, paused)

    @rule(name=st.sampled_from("xy"), task=st.fixed_dictionaries(fields), every=st.sampled_from([HOUR, 2 * HOUR]))
    def put_schedule(self, name: str, task: dict[str, Any], every: float) -> None:
        next_at = datetime.now(UTC) - timedelta(seconds=every)
        schedule = Schedule(name=name, task=_make_task(queue="mail", **task), every=every, next_at=next_at)
        self.model.put_schedule(schedule)
        self.runner.run(self.backend.put_schedule(schedule))

    @rule(name=st.sampled_from("xy"), verb=st.sampled_from(["pause", "resume", "remove"]))
    def change_schedule(self, name: str, verb: str) -> None:
        if verb == "remove":
            self.same("remove_schedule", name)
        else:
            self.same("set_schedule_paused", name, verb == "pause", next_at=PAST)

    @rule(name=st.sampled_from("xy"), times=st.integers(0, 2), stale=st.booleans())
    def fire(self, name: str, times: int, stale: bool) -> None:
        due_at = self._planned(name)
        firing = Firing(name, FUTURE if stale else due_at, (due_at,) * times, due_at + timedelta(hours=1))
        fired = self.runner.run(self.backend.fire(firing))
        assert self.model.fire(firing, iter(fired or ())) == fired

    def _planned(self, name: str) -> datetime:
        known = self.model.recurring.get(name)
        return PAST if known is None or known.next_at is None else known.next_at

    @rule(name=st.sampled_from("xy"))
    def run_schedule_now(self, name: str) -> None:
        found = _answer(lambda: self.runner.run(self.backend.run_schedule_now(name)))
        if not isinstance(found, str):
            assert found == (None if name not in self.model.recurring else TaskQueueError)
            return
        occurrence = self.runner.run(look_up(self.backend, found)).scheduled_at
        assert self.model.run_schedule_now(name, occurrence, found) == found

    @precondition(lambda self: self.clock is not None)
    @rule(seconds=st.sampled_from([1.0, HOUR]))
    def let_time_pass(self, seconds: float) -> None:
        assert self.clock is not None
        self.clock.advance(seconds)
        self.model.advance(seconds)

    @rule()
    def look(self) -> None:
        """Compare all that can be read, but for moments."""
        seen = self.runner.run(_look(self.backend, list(self.model.kept)))
        expected = _look_at_model(self.model)
        for part, answer in expected.items():
            if part != "counts" or seen[part] is not None:
                _compare(part, seen[part], answer)


def _compare(what: str, found: Any, expected: Any) -> None:
    assert (what, found) == (what, expected)


def _make_task(*, size: int, **facts: Any) -> Task:
    return make_task(payload=bytes(size), **facts)


def _answer(ask: Callable[[], Any]) -> Any:
    """What a verb answers; the class of its error if it refuses."""
    try:
        return ask()
    except TaskQueueError:
        return TaskQueueError


async def _ask(verb: Callable[..., Awaitable[Any]], arguments: Sequence[Any], options: dict[str, Any]) -> Any:
    return await verb(*arguments, **options)


async def _look(backend: Backend, ids: list[str]) -> dict[str, Any]:
    infos = sorted(await backend.list_tasks(TaskQuery(limit=1000)), key=lambda info: info.id)
    stats = await backend.stats()
    counts = {lane.queue: tuple(getattr(lane, status) for status in TaskStatus) for lane in stats.queues}
    return {
        "tasks": [_as_listed(info) for info in infos],
        "results": {task_id: _as_result(result) for task_id, result in (await backend.results(ids)).items()},
        "calls": {task_id: _as_call(task, ids) for task_id, task in (await backend.tasks(ids)).items()},
        "needs": {info.id: sorted(set(await backend.needs(info.id)) & set(ids)) for info in infos},
        "inputs": {info.id: sorted(await backend.inputs(info.id)) for info in infos},
        "attempts": {info.id: _as_attempts(await backend.attempts(info.id)) for info in infos},
        "output": {info.id: [(c.attempt, c.stream, c.text) for c in await backend.output(info.id)] for info in infos},
        "paused": {lane.queue for lane in stats.queues if lane.paused},
        "schedules": [(s.name, s.paused, s.next_at, s.last_at, s.every) for s in await backend.schedules()],
        "counts": None if stats.approximate else {lane: found for lane, found in counts.items() if any(found)},
    }


def _look_at_model(model: Model) -> dict[str, Any]:
    infos = sorted(model.list_tasks(), key=lambda info: info.id)
    lanes = {info.queue for info in infos}
    recurring = sorted(model.recurring.items())
    return {
        "tasks": [_as_listed(info) for info in infos],
        "results": {task_id: _as_result(kept.result()) for task_id, kept in model.kept.items()},
        "calls": {task_id: _as_call(kept.call(), list(model.kept)) for task_id, kept in model.kept.items()},
        "needs": {task_id: sorted(kept.needs) for task_id, kept in model.kept.items()},
        "inputs": {task_id: sorted(kept.call().needs) for task_id, kept in model.kept.items()},
        "attempts": {task_id: kept.attempts() for task_id, kept in model.kept.items()},
        "output": {task_id: kept.output for task_id, kept in model.kept.items()},
        "paused": model.paused,
        "schedules": [(name, s.paused, s.next_at, s.last_at, s.schedule.every) for name, s in recurring],
        "counts": {lane: tuple(model.count(lane, status) for status in TaskStatus) for lane in lanes},
    }


def _as_listed(info: TaskInfo) -> TaskInfo:
    """Leave out moments, the worker of what does not run, and what stores notice at different moments."""
    return replace(
        info,
        enqueued_at=SOME_TIME,
        due_at=SOME_TIME,
        started_at=None,
        finished_at=None,
        expires_at=None,
        stalled=False,
        worker=info.worker if info.status is TaskStatus.RUNNING else None,
        cancel_requested=info.cancel_requested and info.status is TaskStatus.RUNNING,
        waits_for=None if info.waits_for is None or "Python" in info.waits_for else info.waits_for,
        error=_without_needs(info.error),
    )


def _as_result(result: Result) -> Result:
    error = _without_needs(result.error)
    return replace(result, enqueued_at=None, started_at=None, finished_at=None, worker=None, error=error)


def _as_call(task: Task, ids: list[str]) -> Task:
    """Leave out needs that were deleted, their order, and what is to happen if they fail where there are none."""
    needs, after = (tuple(sorted({*named} & {*ids})) for named in (task.needs, task.after))
    policy = task.on_failure if needs or after else OnFailure.CANCEL
    return task._replace(expires=None, needs=needs, after=after, on_failure=policy)


def _as_attempts(attempts: Sequence[Attempt]) -> dict[int, Cause | None]:
    """Leave out a claim that was given back unbegun, which a store may list when its task is cancelled later."""
    return {attempt.attempt: attempt.cause for attempt in attempts if attempt.started_at is not None}


def _without_needs(error: str | None) -> str | None:
    """Leave out which of several needs an error names, and how that ended."""
    return None if error is None else re.sub(r"[0-9a-f]{28}, which it needs, .*", "…", error)


EXAMPLES = int(os.environ.get("SITQ_MODEL_EXAMPLES", "8"))
SETTINGS = settings(
    stateful_step_count=40,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
    phases=(Phase.explicit, Phase.generate),
)
CLOCK = Clock()
CLOCKED: dict[str, Callable[[Path], Backend]] = {
    "sqlite": lambda folder: SQLiteBackend(folder / "tasks.db", clock=CLOCK),
    "memory": lambda folder: MemoryBackend(clock=CLOCK),
}


def machine_on(make: Callable[[], Backend], *, shares: bool = False, clock: Clock | None = None) -> type[StoreMachine]:
    """Make a machine for a store.

    Args:
        shares: its workers look at a copy of what is open, as the NATS store's do, with the freedoms that come of it.
    """
    facts = {"make": staticmethod(make), "ordered": not shares, "waits_again": shares, "clock": clock}
    return type("Machine", (StoreMachine,), facts)


def test_a_store_answers_as_the_model_does(
    make_store: MakeStore, tmp_path_factory: pytest.TempPathFactory, servers: Servers
) -> None:
    folder = tmp_path_factory.mktemp
    machine = machine_on(lambda: make_store(folder("store"), servers), shares=make_store is STORES["nats"])
    run_state_machine_as_test(machine, settings=settings(SETTINGS, max_examples=EXAMPLES))


@pytest.mark.parametrize("examples", [8, pytest.param(100, marks=pytest.mark.slow)])
@pytest.mark.parametrize("store", CLOCKED)
def test_a_store_whose_clock_is_set_forward_answers_as_the_model_does(
    store: str, examples: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    machine = machine_on(lambda: CLOCKED[store](tmp_path_factory.mktemp("store")), clock=CLOCK)
    run_state_machine_as_test(machine, settings=settings(SETTINGS, max_examples=examples))
