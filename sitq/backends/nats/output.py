"""What running tasks tell of themselves on a NATS store: progress, and what they write."""

import asyncio
import json
import secrets
from collections import OrderedDict, deque
from collections.abc import Sequence

from sitq.backends.moments import moment_at
from sitq.backends.nats.answers import Found
from sitq.backends.nats.connection import Write
from sitq.backends.nats.errors import CollisionError
from sitq.backends.nats.records import Facts, Record
from sitq.backends.nats.store import OpenStore, Step
from sitq.core import Report, TaskStatus
from sitq.views import OutputChunk

_TRIES = 20
_BATCH = 500
_REMEMBERED = 1000  # attempts whose sizes are kept in mind

Attempt = tuple[str, int]
_Sizes = deque[tuple[int, int]]  # sequence and bytes of each piece of an attempt's output


class Outputs:
    """Writes reports, and remembers how much was written, so that the oldest can go."""

    def __init__(self) -> None:
        self._sizes: OrderedDict[Attempt, _Sizes] = OrderedDict()

    async def report(self, store: OpenStore, reports: Sequence[Report]) -> None:
        """Write what attempts tell, each under the fence of its task."""
        waiting = list(reports)
        for _ in range(_TRIES):
            records = await store.records({report.id for report in waiting})
            waiting = [report for report in waiting if _is_of(report, records.get(report.id))]
            if not waiting:
                return
            kept = await asyncio.gather(*(self._write(store, report, records[report.id]) for report in waiting))
            waiting = [left for left in kept if left is not None]

    async def _write(self, store: OpenStore, report: Report, record: Record) -> Report | None:
        """Write one report; answers what is left of it when the task has changed meanwhile."""
        pieces = [_piece(store, record, report, stream, text) for stream, text in report.output]
        # The first proves the claim; behind it the others go together, as in a cluster one fence lets one through.
        answers = await store.connection.write(pieces[:1])
        if any(isinstance(answer, CollisionError) for answer in answers):
            return report
        answers += await store.connection.write([piece._replace(expect=None) for piece in pieces[1:]])
        for (_, text), answer in zip(report.output, answers, strict=True):
            if isinstance(answer, Exception):
                raise answer
            self._note(report, answer, len(text.encode()))
        if report.keep is not None:
            await self._trim(store, report, report.keep)
        if report.progress is not None:
            facts: Facts = {**record.facts, "progress": list(report.progress), "born": record.born}
            if (await store.take([Step(record, facts, record.tail)]))[0] is None:
                return report._replace(output=())
        elif pieces:
            store.replica.waiters.wake((report.id,))
        return None

    def _note(self, report: Report, seq: int, size: int) -> None:
        attempt = (report.id, report.attempt)
        if attempt not in self._sizes:
            self._sizes[attempt] = deque()
            while len(self._sizes) > _REMEMBERED:
                self._sizes.popitem(last=False)
        self._sizes[attempt].append((seq, size))

    async def _trim(self, store: OpenStore, report: Report, keep: int) -> None:
        """Remove the oldest pieces of an attempt's output beyond the bytes to keep."""
        sizes = self._sizes.get((report.id, report.attempt), deque())
        total = sum(size for _, size in sizes)
        gone = []
        while sizes and total > keep:
            seq, size = sizes.popleft()
            total -= size
            gone.append(seq)
        await asyncio.gather(*(store.erase(seq) for seq in gone))


def _is_of(report: Report, record: Record | None) -> bool:
    """Tell whether a task is running the very attempt of a report."""
    return record is not None and record.status is TaskStatus.RUNNING and record.facts["attempt"] == report.attempt


def _piece(store: OpenStore, record: Record, report: Report, stream: str, text: str) -> Write:
    subject = store.subjects.more(report.id, "output", report.attempt, secrets.token_hex(8))
    body = json.dumps([stream, text, store.clock.now()]).encode()
    return Write(subject, body, record.seq, store.subjects.fence(record.facts))


async def output(store: OpenStore, task_id: str, after: int, limit: int) -> list[OutputChunk]:
    subject = store.subjects.more(task_id, "output", "*", "*")
    found: list[Found] = []
    while len(found) < limit:
        batch = await store.connection.scan(subject, start=after + 1, batch=min(_BATCH, limit - len(found)))
        if not batch:
            break
        found += batch
        after = batch[-1].seq
    return [_chunk(message) for message in found]


async def output_tail(store: OpenStore, task_id: str, limit: int) -> list[OutputChunk]:
    subject = store.subjects.more(task_id, "output", "*", "*")
    newest: deque[Found] = deque(maxlen=limit)
    after = 0
    while batch := await store.connection.scan(subject, start=after + 1, batch=_BATCH):
        newest.extend(batch)
        after = batch[-1].seq
    return [_chunk(message) for message in newest]


def _chunk(message: Found) -> OutputChunk:
    stream, text, written_at = json.loads(message.body)
    return OutputChunk(message.seq, int(message.subject.split(".")[-2]), stream, moment_at(written_at), text)
