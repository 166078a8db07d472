"""What a worker must know to claim, in memory: the open tasks in their order, the workers, lanes and schedules.

It is a copy of what the stream holds, a moment old: whoever acts on it is corrected by the fence of the write.
"""

import heapq
from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from sitq.backends.nats.records import Record
from sitq.core import TaskStatus

_Line = list[tuple[int, int, int, str, int]]  # heap of (-priority, due, born, id, seq)


class Document(NamedTuple):
    """A worker, a lane or a schedule as it is stored; `tail` holds a schedule's payload."""

    seq: int
    facts: dict[str, Any]
    tail: bytes = b""


class Shelf:
    """Holds all open tasks, indexed; entries of its heaps that are out of date are skipped when they come up."""

    def __init__(self) -> None:
        self.open: dict[str, Record] = {}
        self.documents: defaultdict[str, dict[str, Document]] = defaultdict(dict)  # by kind, then by subject
        self.held: defaultdict[str, set[str]] = defaultdict(set)  # ids of running tasks by worker
        self._dependents: defaultdict[str, set[str]] = defaultdict(set)
        self._ready: defaultdict[tuple[str, str | None], _Line] = defaultdict(list)
        self._later: list[tuple[int, str, int]] = []
        self._paused: frozenset[str] = frozenset()

    def put(self, record: Record) -> None:
        """Take an open task's record, unless a newer one is here."""
        known = self.open.get(record.id)
        if known is not None:
            if known.seq >= record.seq:
                return
            self._let_go(known)
        self.open[record.id] = record
        if record.status is TaskStatus.RUNNING:
            self.held[record.facts["worker"]].add(record.id)
        else:
            self._line_up(record)

    def remove(self, task_id: str, seq: int) -> Record | None:
        """Drop a task that has ended, unless a newer record is here; answers what was known of it."""
        known = self.open.get(task_id)
        if known is None or known.seq > seq:
            return None
        del self.open[task_id]
        self._let_go(known)
        return known

    def released_by(self, task_id: str) -> list[str]:
        """Line those up that waited for a task which has ended; answers the lanes in which one is free to go."""
        lanes = []
        for dependent in self._dependents.pop(task_id, ()):
            record = self.open.get(dependent)
            if record is not None and record.status is TaskStatus.PENDING:
                self._line_up(record)
                lanes.append(record.facts["queue"])
        return lanes

    def document(self, kind: str, subject: str, document: Document | None) -> None:
        """Take a worker's, a lane's or a schedule's document, or None when it is gone."""
        documents = self.documents[kind]
        if document is None:
            documents.pop(subject, None)
        elif subject not in documents or documents[subject].seq < document.seq:
            documents[subject] = document
        if kind == "lane":
            self._paused = frozenset(lane.facts["queue"] for lane in documents.values() if lane.facts.get("paused"))

    @property
    def paused(self) -> frozenset[str]:
        return self._paused

    def waiting_for(self, record: Record) -> int:
        """Count the tasks that a pending one waits for."""
        return sum(needed in self.open for needed in set(record.needs)) if record.waited else 0

    def next_due(self) -> int | None:
        """When the next scheduled task is due; None when none is scheduled."""
        while self._later and not self._is_current(self._later[0][1], self._later[0][2]):
            heapq.heappop(self._later)
        return self._later[0][0] if self._later else None

    def promote(self, now: int) -> set[str]:
        """Line up what has become due, and tell its lanes."""
        lanes = set()
        while self._later and self._later[0][0] <= now:
            _, task_id, seq = heapq.heappop(self._later)
            if self._is_current(task_id, seq):
                record = self.open[task_id]
                self._to_ready(record)
                lanes.add(record.facts["queue"])
        return lanes

    def take(self, queues: Collection[str] | None, python: str, now: int) -> Iterator[Record]:
        """Hand out pending tasks in the order of priority, due moment and age; each is off the lines from then on."""
        self.promote(now)
        lines = [
            line
            for (queue, wanted), line in self._ready.items()
            if line and wanted in (None, python) and queue not in self._paused and (queues is None or queue in queues)
        ]
        heads = [(line[0], number) for number, line in enumerate(lines)]
        heapq.heapify(heads)
        while heads:
            line = lines[heads[0][1]]
            entry = heapq.heappop(line) if line else None  # others may have taken from it since
            if line:
                heapq.heapreplace(heads, (line[0], heads[0][1]))
            else:
                heapq.heappop(heads)
            if entry is not None and self._is_current(*entry[3:]) and not self._is_blocked(self.open[entry[3]]):
                yield self.open[entry[3]]

    def line_up_again(self, record: Record) -> None:
        """Put one that was taken back on the lines, unless it has changed meanwhile."""
        if self._is_current(record.id, record.seq):
            self._line_up(record)

    def _is_current(self, task_id: str, seq: int) -> bool:
        record = self.open.get(task_id)
        return record is not None and record.seq == seq

    def _is_blocked(self, record: Record) -> bool:
        if not record.waited:
            return False
        missing = [needed for needed in record.needs if needed in self.open]
        for needed in missing:
            self._dependents[needed].add(record.id)
        return bool(missing)

    def _line_up(self, record: Record) -> None:
        if not self._is_blocked(record):
            # Whether it is due already is seen when somebody asks, by the store's clock.
            heapq.heappush(self._later, (record.facts["due_at"], record.id, record.seq))

    def _to_ready(self, record: Record) -> None:
        facts = record.facts
        line = self._ready[facts["queue"], facts.get("python")]
        heapq.heappush(line, (-facts.get("priority", 0), facts["due_at"], record.born, record.id, record.seq))

    def _let_go(self, record: Record) -> None:
        if record.status is TaskStatus.RUNNING:
            held = self.held[record.facts["worker"]]
            held.discard(record.id)
            if not held:
                del self.held[record.facts["worker"]]
