"""Whatever is asked of two stores, in whatever order, they give the same answers; a store in memory is the model."""

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers import Servers

from contract.builders import HOUR, cancellation, failure, make_task, register, retry, success
from contract.stores import MakeStore
from sitq.backends.base import Backend
from sitq.backends.sqlite import MemoryBackend
from sitq.core import Cause, Claim, OnConflict, OnFailure, Outcome, Task, TaskStatus, WorkerInfo
from sitq.exceptions import TaskQueueError
from sitq.views import TaskInfo, TaskQuery

LANES = ("mail", "video", "default")
ENDS: dict[str, Callable[[Claim], Outcome]] = {
    "success": success,
    "failure": failure,
    "cancellation": cancellation,
    "retry": retry,
    "later": lambda claim: retry(claim, delay=HOUR),
    "lost": lambda claim: retry(claim, Cause.LOST),
    "snooze": lambda claim: retry(claim, Cause.SNOOZED),
    "late": lambda claim: success(claim._replace(attempt=claim.attempt + 1)),
}

places = st.lists(st.integers(0, 200), max_size=3)  # of tasks among those enqueued, of claims among those handed out
new_tasks = st.fixed_dictionaries(
    {
        "queue": st.sampled_from(LANES),
        "priority": st.integers(0, 1),
        "delay": st.sampled_from([0.0, 0.0, HOUR]),
        "key": st.sampled_from([None, None, None, "a", "b"]),
        "on_conflict": st.sampled_from(OnConflict),
        "python": st.sampled_from([None, None, None, "2.7"]),
        "on_failure": st.sampled_from(OnFailure),
        "needs": places,
        "after": places,
    }
)
steps = st.one_of(
    st.tuples(st.just("enqueue"), st.lists(new_tasks, min_size=1, max_size=4)),
    st.tuples(st.just("enqueue"), st.lists(new_tasks, min_size=1, max_size=4)),
    st.tuples(st.just("claim"), st.sampled_from([None, ("mail",), ("video", "default")]), st.integers(1, 5)),
    st.tuples(st.just("claim"), st.none(), st.integers(1, 5)),
    st.tuples(st.just("finish"), places.map(lambda found: found[:1]), st.sampled_from(sorted(ENDS))),
    st.tuples(st.just("finish"), places, st.just("success")),
    st.tuples(st.sampled_from(["cancel", "requeue", "run_now", "delete"]), places),
    st.tuples(st.just("pause"), st.sampled_from(LANES), st.booleans()),
    st.tuples(st.just("purge"), st.sampled_from(list(TaskStatus)[2:])),
    st.tuples(st.just("goodbye")),
)


class User:
    """Sends the same steps to any store, and tells what came back."""

    def __init__(self, backend: Backend, worker: WorkerInfo) -> None:
        self.backend, self.worker = backend, worker
        self.ids: list[str] = []
        self.claims: list[Claim] = []

    async def take(self, step: tuple[Any, ...]) -> Any:
        name, *arguments = step
        try:
            return await getattr(self, name)(*arguments)
        except TaskQueueError as exc:
            return _without_ids(str(exc))

    def tasks_at(self, wanted: list[int]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.ids[place % len(self.ids)] for place in wanted if self.ids))

    async def enqueue(self, new: list[dict[str, Any]]) -> list[str]:
        tasks = [self._task(len(self.ids) + place, facts) for place, facts in enumerate(new)]
        self.ids += [task.id for task in tasks]
        return await self.backend.enqueue(tasks)

    def _task(self, number: int, facts: dict[str, Any]) -> Task:
        # With a key of its own it would depend on the store which of two of one call comes first.
        named = {name: () if facts["key"] else self.tasks_at(facts[name]) for name in ("needs", "after")}
        return make_task(**{**facts, **named, "id": f"{number + 1:028x}"})

    async def claim(self, queues: tuple[str, ...] | None, limit: int) -> list[Any]:
        claims = await self.backend.claim(self.worker.id, queues, limit=limit, lease=30.0)
        self.claims += claims
        return [(claim.id, claim.attempt, claim.failures, claim.crashes, claim.waited) for claim in claims]

    async def finish(self, wanted: list[int], end: str) -> set[str]:
        claims = {self.claims[place % len(self.claims)].id: place % len(self.claims) for place in wanted if self.claims}
        return await self.backend.finish([ENDS[end](self.claims[place]) for place in claims.values()])

    async def cancel(self, wanted: list[int]) -> set[str]:
        return await self.backend.cancel(self.tasks_at(wanted))

    async def requeue(self, wanted: list[int]) -> set[str]:
        return await self.backend.requeue(self.tasks_at(wanted))

    async def run_now(self, wanted: list[int]) -> set[str]:
        return await self.backend.run_now(self.tasks_at(wanted))

    async def delete(self, wanted: list[int]) -> set[str]:
        return await self.backend.delete(self.tasks_at(wanted))

    async def pause(self, queue: str, paused: bool) -> None:
        await self.backend.set_paused(queue, paused)

    async def purge(self, status: TaskStatus) -> int:
        return await self.backend.purge(older_than=0.0, statuses=[status])

    async def goodbye(self) -> set[str]:
        await self.backend.heartbeat(self.worker, {}, lease=0)
        return await self.backend.heartbeat(self.worker, {}, lease=30.0)

    async def look(self) -> Any:
        """Read all that can be read, but for moments and counts that may be approximate."""
        results = await self.backend.results(self.ids)
        tasks = sorted(await self.backend.list_tasks(TaskQuery(limit=1000)), key=lambda info: info.id)
        stats = await self.backend.stats()
        counts = [(lane.queue, *(getattr(lane, status) for status in TaskStatus)) for lane in stats.queues]
        return {
            "results": {
                task_id: (result.status, result.value, _without_ids(result.error), result.attempt)
                for task_id, result in results.items()
            },
            "tasks": [
                (info.id, info.status, _blocked(info), info.failures, info.crashes, info.cancel_requested, info.key)
                for info in tasks
            ],
            "needs": {info.id: sorted(await self.backend.needs(info.id)) for info in tasks},
            "attempts": {
                info.id: [(a.attempt, a.cause) for a in await self.backend.attempts(info.id)] for info in tasks
            },
            "counts": None if stats.approximate else sorted(lane for lane in counts if any(lane[1:])),
        }


def _without_ids(error: str | None) -> str | None:
    """Leave out which of several needs an error names, and how that ended."""
    return None if error is None else re.sub(r"[0-9a-f]{28}(, which it needs, .*)?", "…", error)


def _blocked(info: TaskInfo) -> str | None:
    """Tell what a task waits for, but for a Python version: stores notice that at different moments."""
    return None if info.waits_for is None or "Python" in info.waits_for else info.waits_for


async def compare(make: Callable[[], Backend], plan: list[tuple[Any, ...]]) -> None:
    async with MemoryBackend() as model, make() as backend:
        expected, found = User(model, await register(model)), User(backend, await register(backend))
        for step in plan:
            assert await found.take(step) == await expected.take(step), step
        seen, wanted = await found.look(), await expected.look()
        for part in wanted:
            assert seen[part] == wanted[part], part


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(plan=st.lists(steps, min_size=5, max_size=40))
def test_a_store_answers_as_the_model_does(
    make_store: MakeStore, plan: list[tuple[Any, ...]], tmp_path_factory: pytest.TempPathFactory, servers: Servers
) -> None:
    folder = tmp_path_factory.mktemp("store")
    asyncio.run(compare(lambda: make_store(folder, servers), plan))
