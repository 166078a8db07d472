"""The worker's verbs on a NATS store: claim and finish, results first, in one trip."""

from collections.abc import Sequence
from typing import NamedTuple

from sitq.backends.moments import moment_at
from sitq.backends.nats import endings
from sitq.backends.nats.candidates import Candidates, Demand
from sitq.backends.nats.owners import alive, release_dead
from sitq.backends.nats.records import Record
from sitq.backends.nats.shelf import Document
from sitq.backends.nats.store import OpenStore, Step
from sitq.core import Claim, Outcome, TaskStatus


async def exchange(store: OpenStore, outcomes: Sequence[Outcome], demand: Demand) -> tuple[set[str], list[Claim]]:
    """Finish and claim; what was decided on an old picture is decided again on a new one."""
    trip = _Trip(store)
    async with trip:
        worker = await _worker(store, demand) if demand.limit > 0 or store.unsure else None
        known = await _look_again(store, outcomes, worker)
        left = [outcome for outcome in outcomes if outcome.id not in known.accepted]
        demand = demand._replace(limit=demand.limit - len(known.claimed))
        candidates = Candidates(store, worker, demand) if worker is not None and demand.limit > 0 else None
        accepted, claimed = await trip.make(left, candidates)
        claimed += known.claimed
        # Who has just claimed and asks for more at once is content with what the shelf shows: what is new wakes it.
        if candidates is not None and not claimed and (outcomes or demand.worker_id != store.last_claimant):
            claimed = await _claim_what_is_new(store, trip, candidates)
        store.last_claimant = demand.worker_id if claimed else ""
        payloads = await store.payloads(claimed)
        for task_id in known.unsure:
            store.unsure.pop(task_id, None)
    return accepted | known.accepted, [_as_claim(record, payloads[record.id]) for record in claimed]


async def finish(store: OpenStore, outcomes: Sequence[Outcome]) -> set[str]:
    """Write outcomes, and tell the ids that were accepted."""
    async with _Trip(store) as trip:
        accepted, _ = await trip.make(outcomes, None)
    return accepted


async def _claim_what_is_new(store: OpenStore, trip: "_Trip", candidates: Candidates) -> list[Record]:
    """Claim after a look at what the shelf does not show yet, until something is claimed or nothing comes up."""
    await store.replica.catch_up()
    _, claimed = await trip.make((), candidates)
    while not claimed and candidates.met:
        _, claimed = await trip.make((), candidates)
    return claimed


class _Known(NamedTuple):
    """What an earlier trip has made although its answer did not come.

    Attributes:
        unsure: what was asked about, attempts by id.
    """

    unsure: dict[str, int]
    accepted: set[str]
    claimed: list[Record]


async def _look_again(store: OpenStore, outcomes: Sequence[Outcome], worker: Document | None) -> _Known:
    """Find out what became of the transitions that were under way when the server went away."""
    if not store.unsure:
        return _Known({}, set(), [])
    unsure = dict(store.unsure)
    records = await store.records(unsure)
    accepted = {
        outcome.id
        for outcome in outcomes
        if (record := records.get(outcome.id)) is not None
        and record.facts.get("attempt") == outcome.attempt
        and record.status is outcome.status
    }
    finishing = {outcome.id for outcome in outcomes}
    claimed = [
        record
        for record in records.values()
        if worker is not None
        and record.id not in finishing
        and record.facts.get("attempt") == unsure[record.id]
        and record.facts.get("term") == worker.facts["term"]
        and record.facts.get("worker") == worker.facts["id"]
        and record.status is TaskStatus.RUNNING
    ]
    shelf = store.replica.shelf.open
    await store.correct([shelf[task_id] for task_id in unsure if task_id in shelf])
    return _Known(unsure, accepted, claimed)


async def _worker(store: OpenStore, demand: Demand) -> Document | None:
    """Find the worker on the shelf, and give back what dead ones held."""
    await store.replica.load()
    worker = alive(store, demand.worker_id)
    if worker is None:  # it may be new
        await store.replica.catch_up()
        worker = alive(store, demand.worker_id)
    if worker is not None:
        await release_dead(store, demand.worker_id)
        await store.correct_doubtful()
    return worker


class _Trip:
    """Makes transitions for one call, and remembers which, should the call fail: some may be made all the same."""

    def __init__(self, store: OpenStore) -> None:
        self._store = store
        self._tried: dict[str, int] = {}

    async def __aenter__(self) -> "_Trip":
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *exc_info: object) -> None:
        if kind is not None:
            self._store.unsure.update(self._tried)

    async def make(self, outcomes: Sequence[Outcome], candidates: Candidates | None) -> tuple[set[str], list[Record]]:
        """Finish and claim in one trip; answers the ids that were accepted, and the claimed tasks."""
        store = self._store
        records = await _running(store, outcomes)
        finishing = [step for outcome in outcomes if (step := _finish_step(store, records, outcome)) is not None]
        claiming = await candidates.steps() if candidates is not None else []
        self._tried.update((step.record.id, step.facts.get("attempt", 0)) for step in (*finishing, *claiming))
        try:
            made = await store.take([*finishing, *claiming]) if finishing or claiming else []
        except BaseException:
            if candidates is not None:
                candidates.put_back()
            raise
        finished, claimed = made[: len(finishing)], made[len(finishing) :]
        lost = [step.record for step, record in zip(claiming, claimed, strict=True) if record is None]
        store.doubt(lost)
        accepted = await _insist(store, outcomes, finishing, finished)
        taken = [record for record in claimed if record is not None]
        await endings.settle(store, endings.bad_ends([*accepted.values(), *taken]))
        return set(accepted), [record for record in taken if record.status is TaskStatus.RUNNING]


async def _running(store: OpenStore, outcomes: Sequence[Outcome]) -> dict[str, Record]:
    """Find the records that outcomes are for: on the shelf, or in the stream if they are not as expected there."""
    shelf = store.replica.shelf.open
    records = {outcome.id: shelf[outcome.id] for outcome in outcomes if outcome.id in shelf}
    doubtful = [outcome.id for outcome in outcomes if not _is_running(records.get(outcome.id), outcome)]
    return records | await store.records(doubtful) if doubtful else records


def _is_running(record: Record | None, outcome: Outcome) -> bool:
    return record is not None and record.status is TaskStatus.RUNNING and record.facts["attempt"] == outcome.attempt


def _finish_step(store: OpenStore, records: dict[str, Record], outcome: Outcome) -> Step | None:
    record = records.get(outcome.id)
    if record is None or not _is_running(record, outcome):
        return None
    if outcome.status.is_final:
        return endings.by_outcome(store, record, outcome)
    return endings.put_back(store, record, outcome)


async def _insist(
    store: OpenStore, outcomes: Sequence[Outcome], steps: Sequence[Step], made: Sequence[Record | None]
) -> dict[str, Record]:
    """Write outcomes again whose tasks have changed meanwhile but still run; answers all that were accepted."""
    accepted = {record.id: record for record in made if record is not None}
    collided = {step.record.id for step, record in zip(steps, made, strict=True) if record is None}
    if collided:
        by_id = {outcome.id: outcome for outcome in outcomes if outcome.id in collided}
        records = await store.records(collided)
        accepted |= await store.change(
            records, lambda record: _finish_step(store, {record.id: record}, by_id[record.id])
        )
    return accepted


def _as_claim(record: Record, payload: bytes) -> Claim:
    facts = record.facts
    return Claim(
        id=record.id,
        attempt=facts["attempt"],
        name=facts["name"],
        queue=facts["queue"],
        payload=payload,
        failures=facts.get("failures", 0),
        crashes=facts.get("crashes", 0),
        max_attempts=facts.get("max_attempts", 1),
        timeout=facts.get("timeout"),
        executor=facts.get("executor"),
        waited=record.waited,
        meta=facts.get("meta"),
        scheduled_at=moment_at(facts["scheduled_at"]) if "scheduled_at" in facts else None,
    )
