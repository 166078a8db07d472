"""Which tasks a worker claims next: those on the shelf in their order, shared with the other workers."""

from collections.abc import Collection, Iterator
from itertools import islice
from typing import NamedTuple
from zlib import crc32

from sitq.backends.nats import endings
from sitq.backends.nats.records import Record, without
from sitq.backends.nats.shelf import Document
from sitq.backends.nats.store import OpenStore, Step

_TURN = 50_000  # microseconds after which each task is another worker's to claim first


class Demand(NamedTuple):
    """What a worker asks for when it claims; `limit` 0 asks for nothing."""

    worker_id: str = ""
    queues: Collection[str] | None = None
    limit: int = 0


class Candidates:
    """Takes tasks off the shelf for one worker, as long as it wants more.

    Workers that all went for the same tasks would get in each other's way: of four, each lost a quarter of its tries.
    So each prefers a part of those of equal priority, which changes many times a second; what is left over is for all.

    Attributes:
        met: tasks came up the last time, whether or not they could be claimed.
    """

    def __init__(self, store: OpenStore, worker: Document, demand: Demand) -> None:
        self._store = store
        self._worker = worker
        self._demand = demand
        self._taken: list[Record] = []
        self._passed_over: list[Record] = []
        self.met = False

    async def steps(self) -> list[Step]:
        """Make the steps that claim what is next, and those that end what must not start any more."""
        store, python = self._store, self._worker.facts["python"]
        now = store.clock.now()
        line = self._own_part_first(store.replica.shelf.take(self._demand.queues, python, now), now)
        steps: list[Step] = []
        claims = 0
        self._taken, self._passed_over = [], []
        while claims < self._demand.limit and (batch := list(islice(line, self._demand.limit - claims))):
            self._taken += batch
            spoiled = await endings.spoiled(store, batch) if any(record.waited for record in batch) else {}
            for record in batch:
                step = self._step(record, spoiled.get(record.id), now)
                claims += step.facts.get("status") == "running"
                steps.append(step)
        self._line_up_again(self._passed_over)
        self.met = bool(steps)
        return steps

    def _own_part_first(self, line: Iterator[Record], now: int) -> Iterator[Record]:
        """Reorder what comes with the highest priority: first the own part, then what was passed over."""
        shares, own_share = self._shares()
        if shares > 1:
            turn = str(now // _TURN)
            highest: int | None = None
            for record in line:
                highest = _priority(record) if highest is None else highest
                if _priority(record) < highest or len(self._passed_over) >= 2 * shares * self._demand.limit:
                    self._passed_over.append(record)
                    break
                if crc32((record.id + turn).encode()) % shares == own_share:
                    yield record
                else:
                    self._passed_over.append(record)
            while self._passed_over:
                yield self._passed_over.pop(0)
        yield from line

    def _shares(self) -> tuple[int, int]:
        """Tell how many workers share the tasks, and which of them this one is."""
        workers = self._store.replica.shelf.documents["worker"].values()
        alive = sorted(worker.facts["id"] for worker in workers if "stopped_at" not in worker.facts)
        own = self._worker.facts["id"]
        return (len(alive), alive.index(own)) if own in alive else (1, 0)

    def _step(self, record: Record, spoiled: str | None, now: int) -> Step:
        if record.facts.get("expires_at", now) < now:
            return endings.expired(self._store, record)
        if spoiled is not None and (step := endings.by_need(self._store, record, spoiled)) is not None:
            return step
        facts = without(record.facts, "recorded", "cause", "progress")
        facts.update(
            {
                "status": "running",
                "worker": self._worker.facts["id"],
                "term": self._worker.facts["term"],
                "attempt": record.facts.get("attempt", 0) + 1,
                "started_at": now,
                "born": record.born,
            }
        )
        return Step(record, facts, record.tail)

    def put_back(self) -> None:
        """Line up again what was not reached, after trouble with the server."""
        self._line_up_again(self._taken)

    def _line_up_again(self, records: Collection[Record]) -> None:
        for record in records:
            self._store.replica.shelf.line_up_again(record)


def _priority(record: Record) -> int:
    return record.facts.get("priority", 0)
