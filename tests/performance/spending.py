"""Where an enqueue and a drain spend their microseconds, in processor time: `python -m tests.performance.spending`.

Totals are of whole runs, of the thread of the event loop and of all others, which is the database's. Parts are the
functions that these call, each called alone; what is left is asyncio and the layers between.
"""

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from sitq import SQLiteBackend, TaskQueue, Worker
from sitq.backends.sqlite import schema, tasks
from sitq.backends.sqlite.claims import ClaimVerbs, Demand
from sitq.backends.sqlite.owners import Owners, heartbeat
from sitq.backends.sqlite.writer import Transaction
from sitq.core import Cause, Claim, Outcome, Task, TaskStatus, WorkerInfo
from sitq.options import GivenOptions
from sitq.producer.packing import Packer
from sitq.serialization import CloudpickleSerializer
from tests.performance.jobs import nothing

_COUNT = 10_000
_ROUNDS = 5
_TRIP = 82  # outcomes and claims of one trip at concurrency 100


class Spent(NamedTuple):
    """Microseconds a task, of the event loop's thread and of the others."""

    loop: float
    others: float


async def spent_on(work: Callable[[], Awaitable[object]], count: int) -> Spent:
    """Measure what work on `count` tasks takes on this loop."""
    loop, whole = time.thread_time(), time.process_time()
    await work()
    loop, whole = time.thread_time() - loop, time.process_time() - whole
    return Spent(loop / count * 1e6, (whole - loop) / count * 1e6)


async def enqueue_spent(callers: int, count: int) -> Spent:
    with tempfile.TemporaryDirectory() as folder:
        async with TaskQueue(Path(folder) / "tasks.db") as queue:

            async def caller() -> None:
                for number in range(count // callers):
                    await queue.enqueue(nothing, number, 2)

            return await spent_on(lambda: asyncio.gather(*(caller() for _ in range(callers))), count)


async def enqueue_many_spent(count: int) -> Spent:
    calls = [(number, 2) for number in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        async with TaskQueue(Path(folder) / "tasks.db") as queue:
            return await spent_on(lambda: queue.enqueue_many(nothing, calls), count)


async def drain_spent(count: int) -> Spent:
    with tempfile.TemporaryDirectory() as folder:
        async with SQLiteBackend(Path(folder) / "tasks.db") as backend:
            await TaskQueue(backend).enqueue_many(nothing, [(number, 2) for number in range(count)])
            return await spent_on(Worker(backend, max_concurrency=100).run_until_empty, count)


def least(measure: Callable[[], Any]) -> Any:
    """Take the best of some rounds, as others on the machine only add."""
    return min(measure() for _ in range(_ROUNDS))


def alone(function: Callable[[], object], count: int = _COUNT) -> float:
    """Microseconds of one call."""

    def seconds() -> float:
        begun = time.thread_time()
        for _ in range(count):
            function()
        return time.thread_time() - begun

    return float(least(seconds)) / count * 1e6


@contextmanager
def database() -> Iterator["Database"]:
    with tempfile.TemporaryDirectory() as folder:
        base = Database(Path(folder))
        yield base
        base.close()


class Database:
    """The verbs of a SQLite store on a connection of its own, each timed."""

    def __init__(self, folder: Path) -> None:
        self.clock = time.time
        self._raw = sqlite3.connect(folder / "tasks.db", isolation_level=None, cached_statements=256)
        self._raw.execute("pragma journal_mode = wal")
        self._raw.execute("pragma synchronous = normal")
        self.begin(self._raw)
        schema.migrate(self._raw, "tasks.db")
        self.commit(self._raw)
        self._verbs = ClaimVerbs(Owners())
        now = datetime.now(UTC)
        self._worker = WorkerInfo(
            id="w", host="h", pid=1, process="p", queues=None, max_concurrency=100, python="3.11", started_at=now
        )
        self._time(heartbeat, (self._worker, {}, 600.0))

    def close(self) -> None:
        self._raw.close()

    def begin(self, raw: sqlite3.Connection) -> None:
        raw.execute("begin immediate")

    def commit(self, raw: sqlite3.Connection) -> None:
        raw.execute("commit")

    def insert(self, packed: Sequence[Task], size: int) -> tuple[float, float]:
        """Insert tasks, `size` at a time; microseconds a task of the rows, and of the commits."""
        slices = [packed[start : start + size] for start in range(0, len(packed), size)]
        times = [self._time(tasks.enqueue, slice_)[1:] for slice_ in slices]
        return _sums(times, len(packed))

    def exchange(self, count: int) -> tuple[float, float, float]:
        """Claim and finish tasks that were inserted; microseconds a task of claims, finishes and commits."""
        demand = Demand(worker_id="w", queues=None, limit=_TRIP)
        claims, ends = [], []
        for _ in range(count // _TRIP):
            (_, claimed), *spent = self._time(self._verbs.exchange, ((), demand))
            claims.append(spent)
            ends.append(self._time(self._verbs.exchange, ([_success(claim) for claim in claimed], Demand()))[1:])
        claim, _ = _sums(claims, count)
        finish, commit = _sums(ends, count)
        return claim, finish, commit

    def _time(self, verb: Callable[..., Any], request: Any) -> tuple[Any, float, float]:
        begun = time.thread_time()
        transaction = Transaction(self, self._raw, careful=False)
        (answer,) = verb(transaction, (request,))
        done = time.thread_time()
        transaction.commit()
        return answer, done - begun, time.thread_time() - done


def _success(claim: Claim) -> Outcome:
    return Outcome(claim.id, claim.attempt, claim.queue, TaskStatus.SUCCESS, Cause.SUCCESS, b"r" * 30, duration=0.001)


def _sums(times: Sequence[tuple[float, float]], count: int) -> tuple[float, float]:
    verbs, commits = zip(*times, strict=True)
    return sum(verbs) / count * 1e6, sum(commits) / count * 1e6


class Packing(NamedTuple):
    """Microseconds to make a task of a call.

    Attributes:
        pickle: of the call alone.
        whole: of the task, the pickle included.
        many: the same where one function has many calls.
    """

    pickle: float
    whole: float
    many: float


def packing_spent() -> Packing:
    serializer = CloudpickleSerializer()
    packer, options = Packer(serializer), GivenOptions({}).on(nothing)
    calls = [(number, 2) for number in range(1000)]
    return Packing(
        alone(lambda: serializer.dumps_call(nothing, (1, 2), {})),
        alone(lambda: packer.pack(options, nothing, (1, 2), {})),
        alone(lambda: packer.pack_many(options, nothing, calls), count=50) / len(calls),
    )


def packed() -> list[Task]:
    options = GivenOptions({}).on(nothing)
    return Packer(CloudpickleSerializer()).pack_many(options, nothing, [(number, 2) for number in range(_COUNT)])


def enqueue_table() -> list[str]:
    packing = packing_spent()
    one, hundred, many = (
        least(lambda: asyncio.run(enqueue_spent(1, 2000))),
        least(lambda: asyncio.run(enqueue_spent(100, _COUNT))),
        least(lambda: asyncio.run(enqueue_many_spent(_COUNT))),
    )
    with database() as base:
        writes = [least(lambda size=size: base.insert(packed(), size)) for size in (1, 100, 1000)]
    rows, commits = zip(*writes, strict=True)
    task = packing.whole - packing.pickle
    on_loop = (one.loop - packing.whole - sum(writes[0]), hundred.loop - packing.whole, many.loop - packing.many)
    return [
        "| µs of an enqueue | one caller | 100 callers | enqueue_many |",
        "|---|---|---|---|",
        row("pickle the call", packing.pickle, packing.pickle, 0),
        row("make the task of it: id, preview, record; for many calls with the pickle", task, task, packing.many),
        row("asyncio, handles and the layers between", *on_loop),
        row("SQLite: rows", *rows),
        row("SQLite: commit", *commits),
        row("hops to its thread and back, waiting for the interpreter's lock", *_rests(writes, (hundred, many))),
        row("together", *(spent.loop + spent.others for spent in (one, hundred, many))),
    ]


def _rests(writes: Sequence[tuple[float, float]], spents: Sequence[Spent]) -> list[float]:
    """What the database's thread spent beside its writes; one caller's enqueue stays on the loop."""
    return [0.0, *(spent.others - sum(write) for spent, write in zip(spents, writes[1:], strict=True))]


def drain_table() -> list[str]:
    serializer = CloudpickleSerializer()
    payload = serializer.dumps_call(nothing, (1, 2), {})
    load, dump = alone(lambda: serializer.loads_call(payload)), alone(lambda: serializer.dumps(3))
    spent = least(lambda: asyncio.run(drain_spent(_COUNT)))
    with database() as base:
        base.insert(packed(), 1000)
        claim, finish, commit = base.exchange(_COUNT)
    return [
        "| µs of a task drained at concurrency 100 | |",
        "|---|---|",
        row("load the call", load),
        row("dump the value", dump),
        row("asyncio's task, outcome, bookkeeping", spent.loop - load - dump),
        row("SQLite: claim", claim),
        row("SQLite: finish", finish),
        row("SQLite: commit", commit),
        row("hops to its thread and back, waiting for the interpreter's lock", spent.others - claim - finish - commit),
        row("together", spent.loop + spent.others),
    ]


def row(what: str, *spent: float) -> str:
    cells = " | ".join("" if amount == 0 else f"{max(amount, 0):.1f}" for amount in spent)
    return f"| {what} | {cells} |"


if __name__ == "__main__":
    print(*enqueue_table(), "", *drain_table(), sep="\n")
