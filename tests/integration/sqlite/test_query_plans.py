"""Every statement of a verb finds its rows through the index that is meant for it, on a full store, analyzed or not."""

import asyncio
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from contract.builders import (
    HOUR,
    THIS_PYTHON,
    claim_all,
    failure,
    make_dead_worker,
    make_task,
    make_worker,
    register,
    retry,
    success,
)

from sitq.backends.sqlite import SQLiteBackend, acting, dependencies, owners, reads, tasks
from sitq.backends.sqlite.claims import ClaimVerbs, Demand
from sitq.core import Claim, OnConflict, TaskStatus, WorkerInfo
from sitq.views import Order, TaskQuery
from sqlite.probes import Probe, probing

LANES = tuple(f"lane-{number}" for number in range(6))


@dataclass(frozen=True)
class Stock:
    """A store with more than 10,000 tasks in all states, and what a test needs to name some of them."""

    path: Path
    worker: WorkerInfo
    running: tuple[Claim, ...]
    finished: tuple[str, ...]


async def park(backend: SQLiteBackend) -> None:
    """Store tasks that only a worker on this Python can run, and let another one meet them."""
    await backend.enqueue([make_task(python=THIS_PYTHON, key=f"key-{n}") for n in range(300)])
    await claim_all(backend, await register(backend, make_worker(python="2.7")), ["default"])


async def fill(path: Path) -> Stock:
    lane = {place: LANES[place % len(LANES)] for place in range(3000)}
    async with SQLiteBackend(path) as backend:
        worker = await register(backend, lease=HOUR)
        await backend.enqueue([make_task(queue=lane[n], retention=0.0 if n % 2 else None) for n in range(3000)])
        await backend.enqueue([make_task(queue=lane[n], payload=bytes(2000)) for n in range(1000)])
        claims = await claim_all(backend, worker)
        ends = [success(claim) for claim in claims[:2600]] + [failure(claim) for claim in claims[2600:3200]]
        await backend.finish([*ends, *(success(claim, bytes(2000)) for claim in claims[3200:3400])])
        await backend.finish([retry(claim) for claim in claims[3400:3500]])
        await backend.enqueue([make_task(id=f"cancelled-{n}") for n in range(300)])
        await backend.cancel([f"cancelled-{n}" for n in range(300)])
        await backend.enqueue([make_task(queue="mail") for _ in range(50)])
        await claim_all(backend, await register(backend, make_dead_worker(), lease=HOUR), ["mail"])
        await park(backend)
        needed = [claim.id for claim in claims[3500:]]
        await backend.enqueue([make_task(queue=lane[n], needs=(needed[n % 50], needed[7])) for n in range(600)])
        await backend.enqueue([make_task(queue=lane[n]) for n in range(3000)])
        await backend.enqueue([make_task(queue=lane[n], delay=HOUR) for n in range(3000)])
        await backend.enqueue([make_task(queue=lane[n], delay=0.001) for n in range(600)])
    finished = tuple(claim.id for claim in claims[2500:3400])
    return Stock(path, worker, tuple(claims[3500:]), finished)


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Stock:
    return asyncio.run(fill(tmp_path_factory.mktemp("stock") / "tasks.db"))


@pytest.fixture(scope="module", params=["as it is", "analyzed"])
def probe(request: pytest.FixtureRequest, stock: Stock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Probe]:
    """A connection to the stock, before and after SQLite gathered figures about it."""
    copy = tmp_path_factory.mktemp("copy") / "tasks.db"
    shutil.copy(stock.path, copy)
    with probing(copy) as probe:
        if request.param == "analyzed":
            probe.execute("analyze")
        yield probe


def assert_narrow(plans: list[str], *indexes: str) -> None:
    """No table that grows with the tasks is read from end to end, nothing is sorted, and the indexes are in use."""
    for plan in plans:
        assert not re.search(r"SCAN (task|blob|attempt|output|dependency|needed|dependent)\b", plan), plan
        assert "TEMP B-TREE" not in plan or "dependency" in plan, plan  # the dependents of a few tasks are grouped
    for index in indexes:
        assert any(re.search(rf"INDEX {index} \(", plan) for plan in plans), f"{index} is in none of {plans}"


def plans_of_exchange(probe: Probe, *requests: Any) -> list[str]:
    return probe.plans_of(probe.rehearse, ClaimVerbs(owners.Owners()).exchange, *requests)


def test_stock_is_large(probe: Probe) -> None:
    assert probe.number("select count(*) from task") > 10_000
    assert {state for (state,) in probe.execute("select distinct state from task")} == {-2, -1, 0, 1, 2, 3, 4, 5}


@pytest.mark.parametrize("lanes", [LANES[:1], LANES[:2], LANES, None])
def test_claim_merges_the_ready_lanes(probe: Probe, stock: Stock, lanes: tuple[str, ...] | None) -> None:
    plans = plans_of_exchange(probe, ((), Demand(worker_id=stock.worker.id, queues=lanes, limit=32)))

    assert_narrow(plans, "task_ready", "task_scheduled", "task_parked", "worker_alive")


def test_claim_gives_back_what_the_dead_held_by_their_index(probe: Probe, stock: Stock) -> None:
    demand = Demand(worker_id=stock.worker.id, queues=["mail"], limit=100)

    plans = plans_of_exchange(probe, ((), demand))

    assert len(probe.rehearse(ClaimVerbs(owners.Owners()).exchange, ((), demand))[1]) == 50
    assert_narrow(plans, "task_running")


@pytest.mark.parametrize("end", [success, failure])
@pytest.mark.parametrize("count", [1, 3, 32, 100])
def test_wide_finish_finds_each_row_by_its_id(probe: Probe, stock: Stock, count: int, end: Any) -> None:
    plans = plans_of_exchange(probe, ([end(claim) for claim in stock.running[:count]], Demand()))

    assert_narrow(plans, "sqlite_autoindex_task_1")


@pytest.mark.parametrize("end", [success, failure])
def test_finish_finds_dependents_by_what_they_need(probe: Probe, stock: Stock, end: Any) -> None:
    plans = plans_of_exchange(probe, ([end(claim) for claim in stock.running[:10]], Demand()))

    assert_narrow([plan for plan in plans if "json_each" not in plan], "sqlite_autoindex_task_1")
    assert any("dependency USING PRIMARY KEY (needs=?)" in plan for plan in plans)


def test_enqueue_finds_what_is_needed_by_id(probe: Probe, stock: Stock) -> None:
    task = make_task(needs=stock.finished[:5], after=(stock.running[0].id,))

    assert_narrow(probe.plans_of(probe.rehearse, tasks.enqueue, [task]), "sqlite_autoindex_task_1")


@pytest.mark.parametrize("read", [dependencies.inputs, dependencies.needs])
def test_needs_are_found_by_the_index_of_dependents(probe: Probe, stock: Stock, read: Any) -> None:
    (task_id,) = probe.execute("select id from task where state = -1 limit 1").fetchone()

    assert any("dependency_task" in plan for plan in probe.plans_of(read, probe, task_id))


def test_finish_with_a_long_value_finds_its_row_by_its_id(probe: Probe, stock: Stock) -> None:
    assert_narrow(plans_of_exchange(probe, ([success(stock.running[0], bytes(5000))], Demand())))


@pytest.mark.parametrize("delay", [0.0, HOUR])
def test_put_back_finds_its_row_by_its_id(probe: Probe, stock: Stock, delay: float) -> None:
    plans = plans_of_exchange(probe, ([retry(stock.running[0], delay=delay)], Demand()))

    assert_narrow(plans, "sqlite_autoindex_task_1")


@pytest.mark.parametrize("lease", [30.0, 0.0])
def test_heartbeat_finds_what_the_worker_runs_by_its_index(probe: Probe, stock: Stock, lease: float) -> None:
    attempts = {claim.id: claim.attempt for claim in stock.running}

    plans = probe.plans_of(probe.rehearse, owners.heartbeat, (stock.worker, attempts, lease))

    assert_narrow(plans, "task_running", "worker_alive")


def test_stop_requests_read_what_the_worker_runs_by_its_index(probe: Probe, stock: Stock) -> None:
    assert_narrow(probe.plans_of(reads.stop_requests, probe, stock.worker.id), "task_running", "worker_alive")


@pytest.mark.parametrize("count", [1, 100, 300])
def test_enqueue_searches_nothing(probe: Probe, count: int) -> None:
    assert_narrow(probe.plans_of(probe.rehearse, tasks.enqueue, [make_task() for _ in range(count)]))


@pytest.mark.parametrize("on_conflict", [OnConflict.RETURN, OnConflict.REPLACE])
def test_enqueue_finds_the_holder_of_its_key_by_the_index_of_keys(probe: Probe, on_conflict: OnConflict) -> None:
    plans = probe.plans_of(probe.rehearse, tasks.enqueue, [make_task(key="key-7", on_conflict=on_conflict)])

    assert_narrow(plans, "task_key")


@pytest.mark.parametrize("verb", [acting.cancel, acting.requeue, acting.delete])
def test_verbs_of_people_find_their_rows_by_id(probe: Probe, stock: Stock, verb: Any) -> None:
    ids = [*stock.finished[:300], *(claim.id for claim in stock.running[:20])]

    assert probe.rehearse(verb, ids)
    assert_narrow(probe.plans_of(probe.rehearse, verb, ids), "sqlite_autoindex_task_1")


def test_run_now_finds_its_rows_by_id(probe: Probe) -> None:
    ids = [
        task_id for (task_id,) in probe.execute("select id from task where state = 0 order by due_at desc limit 300")
    ]

    assert probe.rehearse(acting.run_now, ids) == set(ids)
    assert_narrow(probe.plans_of(probe.rehearse, acting.run_now, ids), "sqlite_autoindex_task_1")


@pytest.mark.parametrize(("older_than", "index"), [(None, "task_purge"), (0.0, "task_done")])
def test_purge_finds_what_is_over_by_its_index(probe: Probe, older_than: float | None, index: str) -> None:
    request = (older_than, None, 500)

    assert probe.rehearse(acting.purge, request) == 500
    assert_narrow(probe.plans_of(probe.rehearse, acting.purge, request), index)


def test_purge_that_finds_nothing_makes_one_narrow_look(probe: Probe) -> None:
    (plan,) = probe.plans_of(probe.rehearse, acting.purge, (HOUR, None, 500))

    assert "INDEX task_done (finished_at<?)" in plan


@pytest.mark.parametrize("read", [reads.results, reads.tasks])
def test_results_and_tasks_are_found_by_id(probe: Probe, stock: Stock, read: Any) -> None:
    assert_narrow(probe.plans_of(read, probe, stock.finished[:100]), "sqlite_autoindex_task_1")


def test_attempts_are_found_by_id(probe: Probe, stock: Stock) -> None:
    assert_narrow(probe.plans_of(reads.attempts, probe, stock.finished[0]), "sqlite_autoindex_task_1")


def test_stats_never_read_the_table_of_tasks_as_a_whole(probe: Probe) -> None:
    plans = probe.plans_of(reads.stats, probe, 0)

    assert not [plan for plan in plans if re.search(r"SCAN task\b", plan)]
    assert [plan for plan in plans if "task_ready" in plan]


@pytest.mark.parametrize(
    ("statuses", "index"),
    [
        ((TaskStatus.FAILED,), "task_bad"),
        ((TaskStatus.CANCELLED,), "task_bad"),
        ((TaskStatus.FAILED, TaskStatus.CANCELLED), "task_bad"),
        ((TaskStatus.RUNNING,), "task_running"),
    ],
)
@pytest.mark.parametrize("before", [False, True])
def test_list_of_rare_states_is_found_by_their_index(
    probe: Probe, stock: Stock, statuses: tuple[TaskStatus, ...], index: str, before: bool
) -> None:
    query = TaskQuery(statuses=statuses, before=stock.finished[-1] if before else None)

    (plan,) = probe.plans_of(reads.list_tasks, probe, (query, 0))

    assert f"INDEX {index}" in plan


def test_list_of_the_newest_reads_one_page(probe: Probe) -> None:
    whole, page = (probe.steps_of(reads.list_tasks, probe, (TaskQuery(limit=limit), 0)) for limit in (100_000, 10))

    assert page < whole / 500


def test_list_by_ids_finds_them_by_id(probe: Probe, stock: Stock) -> None:
    (plan,) = probe.plans_of(reads.list_tasks, probe, (TaskQuery(ids=stock.finished[:10]), 0))

    assert "SCAN task" not in plan
    assert "sqlite_autoindex_task_1" in plan


@pytest.mark.parametrize("order", [Order.OLDEST, Order.ENDED])
def test_list_in_another_order_reads_one_page(probe: Probe, order: Order) -> None:
    whole, page = (probe.steps_of(reads.list_tasks, probe, (TaskQuery(limit=n, order=order), 0)) for n in (100_000, 10))

    assert page < whole / 100


@pytest.mark.parametrize("order", [Order.NEWEST, Order.OLDEST])
def test_list_of_a_time_long_past_or_to_come_reads_no_other_task(probe: Probe, order: Order) -> None:
    now, hour = datetime.now(UTC), timedelta(hours=1)
    whole = probe.steps_of(reads.list_tasks, probe, (TaskQuery(limit=100_000), 0))

    for query in (TaskQuery(since=now + hour, order=order), TaskQuery(until=now - hour, order=order)):
        assert probe.steps_of(reads.list_tasks, probe, (query, 0)) < whole / 500


def test_list_of_few_pending_tasks_is_found_by_their_indexes(probe: Probe) -> None:
    (*_, plan) = probe.plans_of(reads.list_tasks, probe, (TaskQuery(statuses=(TaskStatus.PENDING,)), 0))

    assert all(index in plan for index in ("task_ready", "task_scheduled", "task_blocked", "task_parked"))
