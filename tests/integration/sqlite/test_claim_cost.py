"""What a claim costs does not depend on how much else the store holds: counted in steps of SQLite's virtual machine."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from contract.builders import HOUR, claim_all, make_task, register, success

from sitq.backends.sqlite import SQLiteBackend
from sitq.backends.sqlite.claims import ClaimVerbs, Demand
from sitq.backends.sqlite.owners import Owners
from sitq.core import WorkerInfo
from sqlite.probes import probing

CROWD = 20_000


async def add_finished(backend: SQLiteBackend, worker: WorkerInfo) -> None:
    await backend.enqueue([make_task() for _ in range(CROWD)])
    await backend.finish([success(claim) for claim in await claim_all(backend, worker)])


async def add_scheduled(backend: SQLiteBackend, worker: WorkerInfo) -> None:
    await backend.enqueue([make_task(delay=HOUR, priority=9) for _ in range(CROWD)])


async def add_running(backend: SQLiteBackend, worker: WorkerInfo) -> None:
    await backend.enqueue([make_task() for _ in range(CROWD)])
    await claim_all(backend, worker)


async def add_ready_behind(backend: SQLiteBackend, worker: WorkerInfo) -> None:
    await backend.enqueue([make_task(queue=f"lane-{number % 4}", priority=-1) for number in range(CROWD)])


def steps_of_a_claim(path: Path, worker: WorkerInfo, limit: int) -> int:
    demand = Demand(worker_id=worker.id, queues=None, limit=limit)
    with probing(path) as probe:
        return probe.steps_of(probe.rehearse, ClaimVerbs(Owners()).exchange, ((), demand))


@pytest.mark.parametrize("add", [add_finished, add_scheduled, add_running, add_ready_behind])
async def test_claim_costs_the_same_beside_a_crowd(
    path: Path, add: Callable[[SQLiteBackend, WorkerInfo], Awaitable[None]]
) -> None:
    async with SQLiteBackend(path) as backend:
        worker = await register(backend, lease=HOUR)
        lanes = [make_task(queue=f"lane-{number % 4}", delay=delay) for number in range(200) for delay in (0.0, HOUR)]
        await backend.enqueue(lanes)
        alone = steps_of_a_claim(path, worker, 32)
        held = [] if add is add_ready_behind else await backend.claim(worker.id, None, limit=200, lease=HOUR)

        await add(backend, worker)
        await backend.enqueue([make_task(queue=claim.queue) for claim in held])

        assert steps_of_a_claim(path, worker, 32) == pytest.approx(alone, rel=0.05)


async def test_claim_costs_in_proportion_to_what_it_hands_out(path: Path) -> None:
    async with SQLiteBackend(path) as backend:
        worker = await register(backend)
        await backend.enqueue([make_task() for _ in range(1000)])

        one, many = (steps_of_a_claim(path, worker, limit) for limit in (1, 101))

        assert many < one * 101


async def test_look_of_an_idle_worker_costs_next_to_nothing(path: Path) -> None:
    async with SQLiteBackend(path) as backend:
        worker = await register(backend, lease=HOUR)
        await add_finished(backend, worker)
        await add_scheduled(backend, worker)

        assert steps_of_a_claim(path, worker, 32) < 300
