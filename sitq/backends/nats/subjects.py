"""The names of what a store's stream holds."""

from sitq.backends.nats.address import text, token
from sitq.backends.nats.connection import Write
from sitq.backends.nats.records import Facts, Record, encoded
from sitq.core import FINAL

# Seconds for which the place of an open record that has ended stays marked: those who follow the stream must hear of
# it, and who comes later must not have to walk over too many.
TOMBSTONE = 10


class Subjects:
    """Names what one store holds.

    An open task stands at `prefix.open.<lane>.<id>`, one that has ended at `prefix.success.<lane>.<id>` and so on, so
    that `prefix.*.<lane>.<id>` is the fence of a task, and `prefix.success.<lane>.*` can be counted.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.schedules = f"{prefix}.schedule.*"
        self.ends = [self.ended(status) for status in FINAL]
        # What every worker follows.
        self.followed = [f"{prefix}.open.*.*", f"{prefix}.worker.*", f"{prefix}.lane.*", self.schedules]

    def record(self, facts: Facts) -> str:
        status = facts.get("status", "pending")
        state = status if status in FINAL else "open"
        return f"{self.prefix}.{state}.{token(facts['queue'])}.{token(facts['id'])}"

    def fence(self, facts: Facts) -> str:
        return f"{self.prefix}.*.{token(facts['queue'])}.{token(facts['id'])}"

    def of_id(self, task_id: str) -> str:
        """Wherever a task of this id stands."""
        return f"{self.prefix}.*.*.{token(task_id)}"

    def ended(self, status: str, queue: str | None = None) -> str:
        return f"{self.prefix}.{status}.{'*' if queue is None else token(queue)}.*"

    def more(self, task_id: str, *words: object) -> str:
        """What stands beside a task's record: long bytes, earlier attempts, output, dependents."""
        return ".".join((self.prefix, "more", token(task_id), *map(str, words)))

    def retained(self, facts: Facts) -> str:
        return f"{self.prefix}.retained.{token(facts['queue'])}.{token(facts['id'])}.{facts['status']}"

    def retained_of(self, status: str) -> str:
        return f"{self.prefix}.retained.*.*.{status}"

    def worker(self, worker_id: str) -> str:
        return f"{self.prefix}.worker.{token(worker_id)}"

    def lane(self, queue: str) -> str:
        return f"{self.prefix}.lane.{token(queue)}"

    def key(self, key: str) -> str:
        return f"{self.prefix}.key.{token(key)}"

    def schedule(self, name: str) -> str:
        return f"{self.prefix}.schedule.{token(name)}"

    def id_of(self, subject: str) -> str:
        """Read the id at the end of a record's subject."""
        return text(subject.rpartition(".")[2])

    def kind_of(self, subject: str) -> str:
        return subject[len(self.prefix) + 1 :].partition(".")[0]

    def write(self, record: Record, facts: Facts, tail: bytes) -> Write:
        """Write a record anew, unless somebody else did since it was read."""
        return Write(self.record(facts), encoded(facts, tail), record.later or record.seq, self.fence(facts))

    def tombstone(self, record: Record) -> Write:
        """Take an open record away, which its end has replaced."""
        return Write(self.record(record.facts), record.id.encode(), record.seq, ttl=TOMBSTONE)
