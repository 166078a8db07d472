"""Schedules: kept by name, fired by one of many, and what they store is a task like any other."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contract.builders import HOUR, THIS_PYTHON, claim_all, look_up, make_task, run_one
from contract.test_wait import woken_by
from sitq.backends.base import Backend
from sitq.core import OnConflict, Task, TaskStatus, WorkerInfo
from sitq.exceptions import TaskQueueError
from sitq.recurring import Firing, Schedule, ScheduleInfo
from sitq.views import TaskQuery

DAY = timedelta(days=1)


def soon(seconds: float = HOUR) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def make_schedule(task: Task | None = None, **overrides: Any) -> Schedule:
    facts = {"name": "report", "task": task or make_task(), "every": 60.0, "next_at": soon()}
    return Schedule(**{**facts, **overrides})


def firing_of(schedule: ScheduleInfo, *occurrences: datetime, **overrides: Any) -> Firing:
    """A firing for the planned moment, unless others are given."""
    assert schedule.next_at is not None
    facts = {"schedule": schedule.name, "due_at": schedule.next_at, "next_at": schedule.next_at + DAY}
    return Firing(**{**facts, "occurrences": occurrences or (schedule.next_at,), **overrides})


async def only_schedule(backend: Backend) -> ScheduleInfo:
    (schedule,) = await backend.schedules()
    return schedule


async def test_schedule_is_kept_as_it_was_put(backend: Backend) -> None:
    next_at = soon()
    task = make_task(name="greet", queue="mail", arguments="'Ada'")

    put = await backend.put_schedule(make_schedule(task, cron="0 8 * * *", every=None, timezone="UTC", next_at=next_at))

    facts = (put.name, put.cron, put.every, put.timezone, put.catch_up, put.task_name, put.queue, put.arguments)
    assert facts == ("report", "0 8 * * *", None, "UTC", "last", "greet", "mail", "'Ada'")
    assert (put.paused, put.next_at, put.last_at) == (False, next_at, None)
    assert abs(put.created_at - datetime.now(UTC)) < timedelta(seconds=5)
    assert await backend.schedules() == [put]


async def test_schedules_are_listed_by_name(backend: Backend, twin: Backend) -> None:
    for name in ("b", "c", "a"):
        await backend.put_schedule(make_schedule(name=name))

    assert [schedule.name for schedule in await twin.schedules()] == ["a", "b", "c"]


async def test_put_replaces_the_schedule_of_that_name(backend: Backend) -> None:
    await backend.put_schedule(make_schedule(make_task(name="old"), every=1.0))
    later = soon(2 * HOUR)

    put = await backend.put_schedule(make_schedule(make_task(name="new"), every=2.0, next_at=later))

    assert (put.task_name, put.every, put.next_at) == ("new", 2.0, later)
    assert await backend.schedules() == [put]


async def test_put_that_recurs_alike_goes_on(backend: Backend) -> None:
    first = await backend.put_schedule(make_schedule())
    await backend.fire(firing_of(first))
    fired = await only_schedule(backend)

    again = await backend.put_schedule(make_schedule(make_task(name="new"), catch_up="all", next_at=soon(5)))

    assert (again.next_at, again.last_at, again.created_at) == (fired.next_at, first.next_at, first.created_at)
    assert (again.task_name, again.catch_up) == ("new", "all")


@pytest.mark.parametrize("change", [{"every": 61.0}, {"every": None, "cron": "0 8 * * *"}])
async def test_put_that_recurs_otherwise_begins_anew(backend: Backend, change: dict[str, Any]) -> None:
    first = await backend.put_schedule(make_schedule())
    await backend.fire(firing_of(first))
    next_at = soon(5)

    again = await backend.put_schedule(make_schedule(next_at=next_at, **change))

    assert (again.next_at, again.last_at) == (next_at, None)


async def test_put_in_another_zone_begins_anew(backend: Backend) -> None:
    rhythm = {"every": None, "cron": "0 8 * * *"}
    await backend.put_schedule(make_schedule(timezone="Europe/Berlin", **rhythm))
    next_at = soon(5)

    assert (await backend.put_schedule(make_schedule(next_at=next_at, **rhythm))).next_at == next_at


async def test_removed_schedule_is_gone(backend: Backend) -> None:
    schedule = await backend.put_schedule(make_schedule())

    assert await backend.remove_schedule("report") is True
    assert await backend.remove_schedule("report") is False
    assert await backend.schedules() == []
    assert await backend.fire(firing_of(schedule)) is None


async def test_tasks_of_a_removed_schedule_stay(backend: Backend, worker: WorkerInfo) -> None:
    await backend.fire(firing_of(await backend.put_schedule(make_schedule())))

    await backend.remove_schedule("report")

    assert len(await claim_all(backend, worker)) == 1


async def test_firing_stores_a_task_that_is_due(backend: Backend, worker: WorkerInfo) -> None:
    schedule = await backend.put_schedule(make_schedule(make_task(payload=b"call"), next_at=soon(-5)))

    fired = await backend.fire(firing_of(schedule))

    (claim,) = await claim_all(backend, worker)
    assert fired == [claim.id]
    assert (claim.payload, claim.scheduled_at) == (b"call", schedule.next_at)


async def test_firing_moves_the_schedule_on(backend: Backend) -> None:
    schedule = await backend.put_schedule(make_schedule())
    firing = firing_of(schedule)

    await backend.fire(firing)

    moved = await only_schedule(backend)
    assert (moved.next_at, moved.last_at) == (firing.next_at, schedule.next_at)


@pytest.mark.parametrize("size", [10, 100_000])
async def test_fired_task_has_all_that_the_schedule_was_given(backend: Backend, worker: WorkerInfo, size: int) -> None:
    task = make_task(
        payload=b"x" * size, queue="mail", priority=3, expires=60.0, timeout=5.0, max_attempts=4, key="k",
        executor="loop", retention=9.0, tags=("a", "b"), meta={"order": 7}, arguments="1", python=THIS_PYTHON,
    )  # fmt: skip
    await backend.fire(firing_of(await backend.put_schedule(make_schedule(task))))

    await backend.enqueue([task._replace(key="other")])

    fired, enqueued = await claim_all(backend, worker)
    assert fired._replace(id=enqueued.id, scheduled_at=None) == enqueued
    info = await look_up(backend, fired.id)
    assert (info.priority, info.key, info.tags, info.meta) == (3, "k", ("a", "b"), {"order": 7})
    assert (info.arguments, info.expires_at is None) == ("1", False)


async def test_fired_task_knows_its_schedule_and_its_occurrence(backend: Backend) -> None:
    schedule = await backend.put_schedule(make_schedule(name="every 5 minutes"))

    (task_id,) = await backend.fire(firing_of(schedule)) or ()

    info = await look_up(backend, task_id)
    assert (info.schedule, info.scheduled_at) == ("every 5 minutes", schedule.next_at)


async def test_enqueued_task_has_no_schedule(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)

    info = await look_up(backend, claim.id)
    assert (info.schedule, info.scheduled_at, claim.scheduled_at) == (None, None, None)


async def test_tasks_of_a_schedule_can_be_listed(backend: Backend) -> None:
    for name in ("report", "report of today"):
        await backend.fire(firing_of(await backend.put_schedule(make_schedule(name=name))))
    await backend.enqueue([make_task()])

    assert [info.schedule for info in await backend.list_tasks(TaskQuery(schedule="report"))] == ["report"]


async def test_firing_stores_one_task_for_each_occurrence_in_order(backend: Backend, worker: WorkerInfo) -> None:
    schedule = await backend.put_schedule(make_schedule())
    moments = [soon(-seconds) for seconds in (30, 20, 10)]

    fired = await backend.fire(firing_of(schedule, *moments))

    claims = await claim_all(backend, worker)
    assert [claim.scheduled_at for claim in claims] == moments
    assert [claim.id for claim in claims] == fired
    assert (await only_schedule(backend)).last_at == moments[-1]


async def test_firing_without_occurrences_only_moves_on(backend: Backend, worker: WorkerInfo) -> None:
    schedule = await backend.put_schedule(make_schedule())
    later = soon(9)

    assert await backend.fire(firing_of(schedule)._replace(occurrences=(), next_at=later)) == []

    moved = await only_schedule(backend)
    assert (moved.next_at, moved.last_at) == (later, None)
    assert await claim_all(backend, worker) == []


async def test_who_comes_second_fires_nothing(backend: Backend, twin: Backend, worker: WorkerInfo) -> None:
    firing = firing_of(await backend.put_schedule(make_schedule()))

    first, second = await backend.fire(firing), await twin.fire(firing)

    assert (len(first or ()), second) == (1, None)
    assert len(await claim_all(backend, worker)) == 1


async def test_schedule_without_a_next_moment_is_never_due(backend: Backend) -> None:
    schedule = await backend.put_schedule(make_schedule())
    await backend.fire(firing_of(schedule, next_at=None))

    due = await backend.due_schedules()

    assert (due.schedules, due.next_in) == ((), None)
    assert (await only_schedule(backend)).next_at is None


async def test_task_of_another_python_waits_for_its_worker(backend: Backend, worker: WorkerInfo) -> None:
    schedule = await backend.put_schedule(make_schedule(make_task(python="3.99")))
    (task_id,) = await backend.fire(firing_of(schedule)) or ()

    assert await claim_all(backend, worker) == []
    assert (await look_up(backend, task_id)).waits_for == "a worker on Python 3.99"


@pytest.mark.parametrize("policy", [OnConflict.RETURN, OnConflict.RAISE])
async def test_occurrence_whose_key_is_held_is_skipped(
    backend: Backend, worker: WorkerInfo, policy: OnConflict
) -> None:
    await run_one(backend, worker, key="k")
    schedule = await backend.put_schedule(make_schedule(make_task(key="k", on_conflict=policy)))

    assert await backend.fire(firing_of(schedule)) == []
    assert (await only_schedule(backend)).last_at == schedule.next_at


async def test_occurrence_can_replace_one_that_has_not_started(backend: Backend, worker: WorkerInfo) -> None:
    holder = make_task(key="k")
    await backend.enqueue([holder])
    schedule = await backend.put_schedule(make_schedule(make_task(key="k", on_conflict=OnConflict.REPLACE)))

    fired = await backend.fire(firing_of(schedule))

    assert [claim.id for claim in await claim_all(backend, worker)] == fired
    assert (await look_up(backend, holder.id)).status is TaskStatus.CANCELLED


async def test_paused_schedule_is_not_due_and_does_not_fire(backend: Backend) -> None:
    schedule = await backend.put_schedule(make_schedule(next_at=soon(-5)))

    assert await backend.set_schedule_paused("report", True) is True

    assert (await only_schedule(backend)).paused
    assert (await backend.due_schedules()).schedules == ()
    assert await backend.fire(firing_of(schedule)) is None


async def test_resumed_schedule_goes_on_with_the_given_moment(backend: Backend) -> None:
    await backend.put_schedule(make_schedule(next_at=soon(-5)))
    await backend.set_schedule_paused("report", True)
    later = soon(9)

    assert await backend.set_schedule_paused("report", False, next_at=later) is True

    resumed = await only_schedule(backend)
    assert (resumed.paused, resumed.next_at) == (False, later)


async def test_resume_of_one_that_is_not_paused_changes_nothing(backend: Backend) -> None:
    schedule = await backend.put_schedule(make_schedule())

    await backend.set_schedule_paused("report", False, next_at=soon(9))

    assert await backend.schedules() == [schedule]


async def test_paused_schedule_stays_paused_when_it_is_put_again(backend: Backend) -> None:
    await backend.put_schedule(make_schedule())
    await backend.set_schedule_paused("report", True)

    assert (await backend.put_schedule(make_schedule(every=5.0))).paused


@pytest.mark.parametrize("paused", [True, False])
async def test_pause_of_an_unknown_schedule_reaches_nothing(backend: Backend, paused: bool) -> None:
    assert await backend.set_schedule_paused("nothing", paused, next_at=soon()) is False


async def test_due_schedules_come_in_the_order_of_their_moments(backend: Backend) -> None:
    for name, seconds in (("a", -5), ("b", -50), ("c", HOUR), ("d", 2 * HOUR)):
        await backend.put_schedule(make_schedule(name=name, next_at=soon(seconds), every=10 * HOUR))

    due = await backend.due_schedules()

    assert [schedule.name for schedule in due.schedules] == ["b", "a"]
    assert due.next_in == pytest.approx(HOUR, abs=5)
    assert abs(due.now - datetime.now(UTC)) < timedelta(seconds=5)


async def test_nothing_is_due_in_an_empty_store(backend: Backend) -> None:
    due = await backend.due_schedules()

    assert (due.schedules, due.next_in) == ((), None)


async def test_interval_planned_by_a_clock_that_was_ahead_is_due(backend: Backend) -> None:
    await backend.put_schedule(make_schedule(every=60.0, next_at=soon(HOUR)))

    assert len((await backend.due_schedules()).schedules) == 1


@pytest.mark.parametrize(("ahead", "is_due"), [(0.5 * HOUR, False), (30 * HOUR, True)])
async def test_cron_that_fired_by_a_clock_that_was_far_ahead_is_due(
    backend: Backend, ahead: float, is_due: bool
) -> None:
    schedule = await backend.put_schedule(make_schedule(every=None, cron="0 8 * * *", next_at=soon(ahead)))
    await backend.fire(firing_of(schedule))

    assert bool((await backend.due_schedules()).schedules) == is_due


async def test_cron_that_was_planned_anew_is_not_due_again(backend: Backend) -> None:
    schedule = await backend.put_schedule(make_schedule(every=None, cron="0 8 * * *", next_at=soon(30 * HOUR)))
    await backend.fire(firing_of(schedule))
    moved = await only_schedule(backend)

    await backend.fire(firing_of(moved)._replace(occurrences=(), next_at=soon(9)))

    assert (await backend.due_schedules()).schedules == ()


async def test_run_now_stores_a_task_and_leaves_the_occurrences(backend: Backend, worker: WorkerInfo) -> None:
    schedule = await backend.put_schedule(make_schedule(make_task(payload=b"call")))

    task_id = await backend.run_schedule_now("report")

    (claim,) = await claim_all(backend, worker)
    assert (claim.id, claim.payload) == (task_id, b"call")
    assert (await look_up(backend, claim.id)).schedule == "report"
    assert await backend.schedules() == [schedule]


async def test_run_now_of_a_paused_schedule_stores_a_task(backend: Backend) -> None:
    await backend.put_schedule(make_schedule())
    await backend.set_schedule_paused("report", True)

    assert await backend.run_schedule_now("report") is not None


async def test_run_now_of_an_unknown_schedule_stores_nothing(backend: Backend) -> None:
    assert await backend.run_schedule_now("nothing") is None


async def test_run_now_answers_the_holder_of_its_key(backend: Backend, worker: WorkerInfo) -> None:
    holder = await run_one(backend, worker, key="k")
    await backend.put_schedule(make_schedule(make_task(key="k")))

    assert await backend.run_schedule_now("report") == holder.id
    assert (await look_up(backend, holder.id)).schedule is None


async def test_run_now_raises_where_its_policy_says_so(backend: Backend, worker: WorkerInfo) -> None:
    await run_one(backend, worker, key="k")
    await backend.put_schedule(make_schedule(make_task(key="k", on_conflict=OnConflict.RAISE)))

    with pytest.raises(TaskQueueError, match="key 'k' is held"):
        await backend.run_schedule_now("report")


@pytest.mark.parametrize(
    "act",
    [
        lambda twin: twin.put_schedule(make_schedule(make_task(queue="mail"))),
        lambda twin: twin.set_schedule_paused("report", False, next_at=soon()),
        lambda twin: twin.run_schedule_now("report"),
    ],
)
async def test_wait_for_the_lane_is_woken_by_a_change(backend: Backend, twin: Backend, act: Callable) -> None:
    await backend.put_schedule(make_schedule(make_task(queue="mail")))

    assert await woken_by(backend, ["mail"], lambda: act(twin))


async def test_schedule_can_be_put_again_at_once_after_it_was_removed(backend: Backend) -> None:
    await backend.put_schedule(make_schedule(every=1.0))
    await backend.remove_schedule("report")

    await backend.put_schedule(make_schedule(every=2.0))

    assert (await only_schedule(backend)).every == 2.0
