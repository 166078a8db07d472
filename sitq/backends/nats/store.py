"""A store that is open: reads of records, and their transitions, each fenced by the record that it was decided on."""

import asyncio
import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from sitq.backends.nats.answers import Found
from sitq.backends.nats.clock import StoreClock
from sitq.backends.nats.connection import Connection, Write
from sitq.backends.nats.errors import CollisionError, ServerAwayError
from sitq.backends.nats.records import INLINE_LIMIT, Facts, Place, Record, encoded, places
from sitq.backends.nats.replica import Replica
from sitq.backends.nats.subjects import Subjects
from sitq.exceptions import BackendError

_WIDEST = 500  # transitions in one trip
_DOUBT = 0.3  # seconds for which the feed may not yet have told what others wrote
TRIES = 50  # of a write that collides again and again
_CHUNK = 512 * 1024  # bytes of a long payload or value in one message, unless the server takes less


class Step(NamedTuple):
    """A transition of one task.

    Attributes:
        record: as it was read, and must still be.
        facts, tail: what it becomes.
        beside: messages that mean nothing until the record points to them; they go first.
    """

    record: Record
    facts: Facts
    tail: bytes
    beside: tuple[Write, ...] = ()


class OpenStore:
    """Reads and writes the records of one stream, for the verbs."""

    def __init__(self, connection: Connection, subjects: Subjects) -> None:
        self.connection = connection
        self.subjects = subjects
        self.clock = StoreClock()
        self.replica = Replica(connection, subjects, self.clock)
        self.looked_at = float("-inf")  # when dead workers were looked for, by the monotonic clock
        self.known_lanes: set[str] = set()
        self._doubtful: dict[str, tuple[Record, float]] = {}
        self.unsure: dict[str, int] = {}  # attempts by id, whose claim or end may be made although no answer came
        self.last_claimant = ""  # the worker that got something the last time
        self.purged_up_to = 0  # the sequence where the next look for what may go begins

    async def close(self) -> None:
        await self.replica.close()
        await self.connection.close()

    async def abandon(self, *, forked: bool) -> None:
        """Do nothing: with its loop all that it held has ended, and what another process opened is not touched."""

    def on_again(self) -> None:
        """Go on after the connection was lost: others may have missed their heartbeats as well."""
        self.clock.doubt_leases()
        self.replica.connection_is_back()

    async def tell_time(self) -> None:
        """Ask for the server's time."""
        asked_at = time.monotonic()
        answer = await self.connection.call(f"STREAM.INFO.{self.connection.stream}", what="tell its time")
        self.clock.told(answer["ts"], asked_at=asked_at)

    async def places(self, ids: Collection[str]) -> dict[str, Place]:
        return places(await self.connection.read([self.subjects.of_id(task_id) for task_id in ids]))

    async def records(self, ids: Collection[str]) -> dict[str, Record]:
        """Read tasks; unknown ids are left out."""
        found = await self.places(ids)
        return {task_id: place.record for task_id, place in found.items() if place.record is not None}

    async def take(self, steps: Sequence[Step]) -> list[Record | None]:
        """Make transitions, each for itself, in one trip; None where the record has changed meanwhile.

        Raises:
            BackendError: the server refused one for another reason; others may be made.
        """
        writes, own = list[Write](), list[int]()
        for step in steps:
            writes += step.beside
            own.append(len(writes))
            writes.append(self.write_of(step))
        answers = await self.connection.write(writes)
        taken = [self._taken(step, answers[place]) for step, place in zip(steps, own, strict=True)]
        _raise_other_than_collisions(answers)
        await self.tidy_up(steps, taken)
        return taken

    async def write_document(self, write: Write) -> bool:
        """Write what is said of a worker, a lane or a schedule; False when somebody else did since it was read."""
        (answer,) = await self.connection.write([write])
        if isinstance(answer, CollisionError):
            return False
        if isinstance(answer, Exception):
            raise answer
        self.replica.wrote(write, answer)
        return True

    def _taken(self, step: Step, answer: int | Exception) -> Record | None:
        if isinstance(answer, Exception):
            return None
        record = Record(answer, step.facts, step.tail)
        self.note(step.record, record)
        return record

    def note(self, before: Record, record: Record) -> None:
        """Show on the shelf what was written."""
        if record.is_final:
            self.replica.ended(before, record.seq)
        else:
            self.replica.put(record)

    async def tidy_up(self, steps: Sequence[Step], taken: Sequence[Record | None]) -> None:
        """Take away what a transition has left behind, and nobody depends on."""
        for step, record in zip(steps, taken, strict=True):
            if record is None:
                continue
            if step.record.is_final:
                await self.erase(step.record.seq)
            elif record.is_final and step.record.seq:
                await self.bury(step.record)
                if "key" in record.facts:
                    await self.free(record.facts["key"], record.seq)

    async def bury(self, record: Record) -> None:
        """Take the open record of a task away that has ended. Only when its end is certain: this leaves nothing."""
        await self.connection.write_blindly([self.subjects.tombstone(record)])

    def doubt(self, records: Collection[Record]) -> None:
        """Keep those in mind that were not what the shelf shows: mostly the feed tells in a moment what they are."""
        now = time.monotonic()
        self._doubtful.update((record.id, (record, now)) for record in records)

    async def correct_doubtful(self) -> None:
        """Look at those of which the feed has told nothing."""
        if not self._doubtful:
            return
        old = time.monotonic() - _DOUBT
        shelf = self.replica.shelf.open
        settled = {task_id for task_id, (record, _) in self._doubtful.items() if shelf.get(task_id) != record}
        silent = [
            record for task_id, (record, since) in self._doubtful.items() if since < old and task_id not in settled
        ]
        for task_id in (*settled, *(record.id for record in silent)):
            del self._doubtful[task_id]
        if silent:
            await self.correct(silent)

    async def correct(self, records: Collection[Record]) -> None:
        """Look again at open tasks that are not what the shelf shows, and put it right."""
        found = await self.places([record.id for record in records])
        for record in records:
            place = found.get(record.id)
            if place is not None and place.record is not None and not place.record.is_final:
                self.replica.put(place.record)
            else:  # it has ended or was deleted, and whoever did so was cut short
                self.replica.ended(record, place.seq if place is not None else record.seq)
                await self.bury(record)

    async def free(self, key: str, seq: int) -> None:
        """Remove what says who holds a key, at some time: its holder has ended, at `seq`."""
        request = {"filter": self.subjects.key(key), "seq": seq}
        await self.connection.call_blindly(f"STREAM.PURGE.{self.connection.stream}", request)

    async def purge(self, subject: str) -> None:
        """Remove the messages of a subject."""
        request = {"filter": subject}
        await self.connection.call(f"STREAM.PURGE.{self.connection.stream}", request, what="remove what is left")

    async def erase(self, seq: int) -> bool:
        """Remove one message; False when it is not there any more."""
        request = {"seq": seq, "no_erase": True}
        try:
            await self.connection.call(f"STREAM.MSG.DELETE.{self.connection.stream}", request, what="remove a record")
        except ServerAwayError:
            raise
        except BackendError:
            return False
        return True

    def write_of(self, step: Step) -> Write:
        return self.subjects.write(step.record, step.facts, step.tail)

    def history(self, task_id: str, attempt: Facts) -> Write:
        """Keep an attempt that has ended beside its task."""
        return Write(self.subjects.more(task_id, "attempt", attempt["attempt"]), encoded(attempt, b""))

    async def change(self, records: Mapping[str, Record], decide: Callable[[Record], Step | None]) -> dict[str, Record]:
        """Make a transition of each record for which `decide` has one, reading again those that change meanwhile.

        Returns:
            The new records by id.
        """
        reached: dict[str, Record] = {}
        waiting = list(records.values())
        for attempt in range(TRIES):
            steps = [step for record in waiting if (step := decide(record)) is not None]
            collided = list[str]()
            for start in range(0, len(steps), _WIDEST):
                slice_ = steps[start : start + _WIDEST]
                for step, record in zip(slice_, await self.take(slice_), strict=True):
                    if record is None:
                        collided.append(step.record.id)
                    else:
                        reached[record.id] = record
            if not collided:
                return reached
            await rest(attempt)
            waiting = list((await self.records(collided)).values())
        raise BackendError(f"{len(waiting)} tasks changed {TRIES} times while they were to be changed here")

    def long_bytes(self, task_id: str, kind: str, data: bytes) -> list[Write]:
        """Cut bytes that are too long for a record into messages of their own."""
        if len(data) <= INLINE_LIMIT:
            return []
        size = min(_CHUNK, self.connection.link.max_payload - 4096)
        starts = range(0, len(data), size)
        return [
            Write(self.subjects.more(task_id, kind, place), data[start : start + size])
            for place, start in enumerate(starts)
        ]

    async def read_long(self, wanted: Mapping[str, tuple[str, int]]) -> dict[str, bytes]:
        """Read bytes that stand beside records.

        Args:
            wanted: by task id the kind, and in how many messages.
        """
        subjects = {
            self.subjects.more(task_id, kind, place): (task_id, place)
            for task_id, (kind, parts) in wanted.items()
            for place in range(parts)
        }
        parts: dict[tuple[str, int], Found] = {}
        for message in await self.connection.read(list(subjects)):
            parts[subjects[message.subject]] = message
        return {
            task_id: b"".join(parts[task_id, place].body for place in range(count) if (task_id, place) in parts)
            for task_id, (_, count) in wanted.items()
        }

    async def payloads(self, records: Sequence[Record]) -> dict[str, bytes]:
        """Read the calls of tasks, wherever they stand."""
        long = {record.id: ("payload", record.facts["parts"]) for record in records if record.payload is None}
        read = await self.read_long(long) if long else {}
        return read | {record.id: record.payload for record in records if record.payload is not None}


async def rest(attempt: int) -> None:
    """Let others go first after a collision, the longer the more often it happened."""
    if attempt:
        await asyncio.sleep(random.uniform(0, min(0.05, 0.001 * 2**attempt)))


def _raise_other_than_collisions(answers: Sequence[int | Exception]) -> None:
    for answer in answers:
        if isinstance(answer, Exception) and not isinstance(answer, CollisionError):
            raise answer
