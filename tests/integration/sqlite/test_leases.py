"""Leases when clocks are set, machines sleep and pids come again: what is simulated is told by the stored rows."""

import asyncio
import sqlite3
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from contract.builders import HOUR, eventually, make_task, make_worker, register, run_one, success

from sitq.backends.sqlite import SQLiteBackend, owners
from sitq.backends.sqlite.claims import ClaimVerbs, Demand
from sitq.backends.sqlite.owners import Owners
from sitq.core import Claim, WorkerInfo
from sqlite.probes import Probe, probing

LOOK = 0.25  # seconds after which a worker has looked at its neighbours again

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells here whether a process is surely dead")


def shift_lease(outsider: sqlite3.Connection, worker: WorkerInfo, seconds: float) -> None:
    """Move the end of a lease, as if it had been written under a clock that was then set."""
    outsider.execute("update worker set expires_at = expires_at + ? where id = ?", (seconds * 1_000_000, worker.id))


def lease_left(outsider: sqlite3.Connection, worker: WorkerInfo) -> float:
    (expires_at,) = outsider.execute("select expires_at from worker where id = ?", (worker.id,)).fetchone()
    return float(expires_at) / 1_000_000 - time.time()


async def take_over(rival: SQLiteBackend) -> list[Claim]:
    """Claim for a new worker; a rival that has just been opened looks at its neighbours at once."""
    return await rival.claim((await register(rival)).id, None, limit=10, lease=30.0)


@pytest.fixture
async def rival(backend: SQLiteBackend) -> AsyncIterator[SQLiteBackend]:
    async with backend.twin() as rival:
        yield rival


async def test_clock_set_back_does_not_make_a_lease_immortal(
    backend: SQLiteBackend, rival: SQLiteBackend, outsider: sqlite3.Connection
) -> None:
    silent = await register(backend, lease=0.2)
    first = await run_one(backend, silent)
    shift_lease(outsider, silent, HOUR)

    (second,) = await eventually(lambda: take_over(rival))

    assert (second.id, second.attempt, second.crashes) == (first.id, 2, 1)


async def test_clock_set_back_leaves_a_living_worker_a_whole_lease(
    backend: SQLiteBackend, rival: SQLiteBackend, outsider: sqlite3.Connection
) -> None:
    living = await register(backend, lease=30.0)
    await run_one(backend, living)
    shift_lease(outsider, living, HOUR)

    assert await take_over(rival) == []
    assert lease_left(outsider, living) == pytest.approx(30.0, abs=1.0)


async def test_lease_that_is_over_by_its_clock_is_taken(
    backend: SQLiteBackend, rival: SQLiteBackend, outsider: sqlite3.Connection
) -> None:
    silent = await register(backend, lease=30.0)
    first = await run_one(backend, silent)

    shift_lease(outsider, silent, -HOUR)

    (second,) = await take_over(rival)
    assert (second.id, second.attempt) == (first.id, 2)


class Sleeper:
    """A worker's look at its neighbours, before and after the machine slept."""

    def __init__(self, probe: Probe, worker: WorkerInfo) -> None:
        self.probe, self.worker, self.owners = probe, worker, Owners()

    def claims(self) -> list[Claim]:
        demand = Demand(worker_id=self.worker.id, queues=None, limit=10)
        return list(self.probe.rehearse(ClaimVerbs(self.owners).exchange, ((), demand))[1])

    def sleep(self, seconds: float) -> None:
        """Let wall time run on without monotonic time: what was read of the clocks is as old as the sleep."""
        self.owners._trust._wall -= seconds
        self.owners._looked_at -= LOOK


async def test_sleep_of_the_machine_takes_nothing_from_living_neighbours(
    path: Path, backend: SQLiteBackend, outsider: sqlite3.Connection
) -> None:
    neighbour, worker = await register(backend, lease=30.0), await register(backend, lease=HOUR)
    await run_one(backend, neighbour)
    with probing(path) as probe:
        sleeper = Sleeper(probe, worker)
        sleeper.claims()
        shift_lease(outsider, neighbour, -HOUR)

        sleeper.sleep(HOUR)

        assert sleeper.claims() == []
        sleeper.owners._looked_at -= LOOK
        assert sleeper.claims() == []


async def test_sleep_of_the_machine_is_forgotten_after_one_lease(
    path: Path, backend: SQLiteBackend, outsider: sqlite3.Connection
) -> None:
    neighbour, worker = await register(backend, lease=0.3), await register(backend, lease=HOUR)
    first = await run_one(backend, neighbour)
    with probing(path) as probe:
        sleeper = Sleeper(probe, worker)
        sleeper.claims()
        shift_lease(outsider, neighbour, -HOUR)
        sleeper.sleep(HOUR)
        right_after = sleeper.claims()

        await asyncio.sleep(0.35)

        assert right_after == []
        assert [claim.id for claim in sleeper.claims()] == [first.id]


@linux
async def test_sleep_of_the_machine_spares_no_process_that_has_ended(
    path: Path, backend: SQLiteBackend, outsider: sqlite3.Connection
) -> None:
    neighbour, worker = await register(backend, lease=30.0), await register(backend, lease=HOUR)
    first = await run_one(backend, neighbour)
    with probing(path) as probe:
        sleeper = Sleeper(probe, worker)
        sleeper.claims()
        boot, namespace, _ = neighbour.process.split("/")
        outsider.execute("update worker set process = ? where id = ?", (f"{boot}/{namespace}/0", neighbour.id))

        sleeper.sleep(HOUR)

        assert [claim.id for claim in sleeper.claims()] == [first.id]


def renamed(worker: WorkerInfo, place: int, text: str) -> WorkerInfo:
    """The same worker with one part of its process's token changed: boot, namespace or start."""
    parts = worker.process.split("/")
    parts[place] = text
    return replace(worker, process="/".join(parts))


@linux
@pytest.mark.parametrize(
    ("owner", "dead"),
    [
        (make_worker(), False),
        (renamed(make_worker(), 0, "an-earlier-boot"), True),
        (renamed(make_worker(), 1, "another-container"), False),
        (renamed(make_worker(), 2, "1"), True),
        (make_worker(host="elsewhere", pid=1), False),
        (make_worker(process=""), False),
    ],
    ids=["alive", "earlier boot", "other container", "reused pid", "other host", "unknown process"],
)
async def test_only_a_process_that_surely_ended_loses_its_tasks_before_the_lease_is_over(
    backend: SQLiteBackend, rival: SQLiteBackend, owner: WorkerInfo, dead: bool
) -> None:
    await register(backend, owner, lease=HOUR)
    claim = await run_one(backend, owner)

    taken = await take_over(rival)

    assert [again.id for again in taken] == ([claim.id] if dead else [])


async def test_number_of_a_worker_is_never_used_again(backend: SQLiteBackend, outsider: sqlite3.Connection) -> None:
    """The number is the owner of a claim: a late outcome must not meet a namesake."""
    numbers = []
    for _ in range(3):
        worker = await register(backend)
        numbers.append(outsider.execute("select max(seq) from worker").fetchone()[0])
        outsider.execute("delete from worker where id = ?", (worker.id,))

    assert numbers == sorted(set(numbers))


async def test_number_of_a_task_is_never_used_again(backend: SQLiteBackend, outsider: sqlite3.Connection) -> None:
    numbers = []
    for _ in range(3):
        task = make_task()
        await backend.enqueue([task])
        numbers.append(outsider.execute("select max(seq) from task").fetchone()[0])
        await backend.delete([task.id])

    assert numbers == sorted(set(numbers))


async def test_start_of_an_attempt_is_when_it_ran_and_not_when_it_was_claimed(
    backend: SQLiteBackend, outsider: sqlite3.Connection
) -> None:
    claim = await run_one(backend, await register(backend))
    await backend.finish([success(claim)._replace(duration=0.25)])

    (length,) = outsider.execute("select finished_at - started_at from task").fetchone()

    assert length == 250_000


async def test_one_row_renews_the_lease_of_all_that_a_worker_runs(path: Path, backend: SQLiteBackend) -> None:
    worker = await register(backend)
    await backend.enqueue([make_task() for _ in range(1000)])
    claims = await backend.claim(worker.id, None, limit=1000, lease=30.0)
    attempts = {claim.id: claim.attempt for claim in claims}

    with probing(path) as probe:
        written = probe.total_changes
        probe.rehearse(owners.heartbeat, (worker, attempts, 30.0))
        assert probe.total_changes - written == 1
