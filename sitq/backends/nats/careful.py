"""Enqueueing where tasks depend on others: their keys may be held, or they need tasks to end first."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from sitq.backends.nats import endings
from sitq.backends.nats.address import token
from sitq.backends.nats.connection import Write
from sitq.backends.nats.placing import TOGETHER, first_step, write_together
from sitq.backends.nats.records import Facts, Place, Record
from sitq.backends.nats.store import TRIES, OpenStore, Step, rest
from sitq.backends.refusals import key_is_held, need_is_missing
from sitq.core import OnConflict, OnFailure, Task, TaskStatus
from sitq.exceptions import BackendError


class Key(NamedTuple):
    """A key as it is stored.

    Attributes:
        holder: the unfinished task that holds it.
    """

    subject: str
    seq: int
    holder: Record | None

    def given_to(self, task_id: str) -> Write:
        return Write(self.subject, task_id.encode(), self.seq)


async def read_keys(store: OpenStore, keys: Collection[str]) -> dict[str, Key]:
    """Read who holds these keys."""
    subjects = {store.subjects.key(key): key for key in keys}
    found = await store.connection.read(list(subjects)) if subjects else []
    holders = await store.records([message.body.decode() for message in found]) if found else {}
    known = {key: Key(subject, 0, None) for subject, key in subjects.items()}
    for message in found:
        record = holders.get(message.body.decode())
        is_held = record is not None and not record.is_final
        known[subjects[message.subject]] = Key(message.subject, message.seq, record if is_held else None)
    return known


class Plan:
    """What storing tasks would change, decided on what was read; whether that still holds is seen when it is written.

    Args:
        more: further facts of tasks, by id.
        forgiving: leave tasks out whose keys are held, whatever their policy, unless they can replace the holder.
    """

    def __init__(
        self,
        store: OpenStore,
        places: Mapping[str, Place],
        keys: Mapping[str, Key],
        needed: Mapping[str, Record],
        *,
        more: Mapping[str, Facts],
        forgiving: bool,
    ) -> None:
        self._store = store
        self._places = places
        self._keys = keys
        self._needed = needed
        self._more = more
        self._forgiving = forgiving
        self._replaced: dict[str, Step] = {}
        self._given: dict[str, str] = {}  # ids by key
        self._spoiled: set[str] = set()  # ids of those that end badly as soon as they are stored, or by being replaced
        self._steps: dict[str, Step] = {}
        self.ids: list[str] = []
        self.new: list[str] = []

    def add(self, task: Task) -> None:
        """Decide on one more task, as if those before it were stored.

        Raises:
            TaskQueueError: its key is held and its policy refuses that, or a task that it needs is unknown.
        """
        place = self._places.get(task.id)
        holder = self._holder(task.key) if task.key is not None else None
        if task.id in self._steps or (place is not None and place.record is not None):
            self.ids.append(task.id)
        elif holder is None or self._makes_place(task, holder):
            self._check_needs(task)
            self._add_new(task, place.seq if place is not None else 0)
        elif not self._forgiving:
            self.ids.append(holder.id)

    def _add_new(self, task: Task, seq: int) -> None:
        step = first_step(self._store, task, seq)
        step.facts.update(self._more.get(task.id, {}))
        dependents = (
            Write(self._store.subjects.more(needed, "dependent", token(task.id)), task.id.encode())
            for needed in (*task.needs, *task.after)
        )
        self._steps[task.id] = step._replace(beside=(*step.beside, *dependents))
        if task.on_failure is not OnFailure.RUN and any(map(self._ends_badly, (*task.needs, *task.after))):
            self._spoiled.add(task.id)
        elif task.key is not None:
            self._given[task.key] = task.id
        self.ids.append(task.id)
        self.new.append(task.id)

    def _ends_badly(self, task_id: str) -> bool:
        return task_id in self._spoiled or (task_id in self._needed and endings.how(self._needed[task_id]) is not None)

    def _spoil(self, task_id: str) -> None:
        """Note that a task is replaced, and what that does to those of this call that need it; their keys are free."""
        self._spoiled.add(task_id)
        for step in self._steps.values():
            record = Record(step.record.seq, step.facts, step.tail)
            runs = step.facts.get("on_failure") == OnFailure.RUN
            if task_id in record.needs and not runs and record.id not in self._spoiled:
                self._given = {key: holder for key, holder in self._given.items() if holder != record.id}
                self._spoil(record.id)

    def _holder(self, key: str) -> Record | None:
        if key in self._given:
            step = self._steps[self._given[key]]
            return Record(step.record.seq, step.facts, step.tail)
        return self._keys[key].holder

    def _makes_place(self, task: Task, holder: Record) -> bool:
        """Apply the task's policy to the holder of its key: True when the holder goes, False when it stays."""
        if task.on_conflict is OnConflict.RETURN or (self._forgiving and task.on_conflict is OnConflict.RAISE):
            return False
        if task.on_conflict is OnConflict.REPLACE and holder.status is TaskStatus.PENDING:
            step = endings.cancelled(self._store, holder, by=f"replaced by {task.id}")
            if (first := self._steps.get(holder.id)) is not None:
                self._steps[holder.id] = step._replace(beside=(*first.beside, *step.beside))  # its long payload, say
            else:
                self._replaced[holder.id] = step
            self._spoil(holder.id)
            return True
        if self._forgiving:
            return False
        raise key_is_held(task.key, holder.id, running=holder.status is TaskStatus.RUNNING)

    def _check_needs(self, task: Task) -> None:
        for task_id in (*task.needs, *task.after):
            if task_id == task.id or (task_id not in self._needed and task_id not in self._steps):
                raise need_is_missing(task.name, task_id)

    async def write(self, *others: Write) -> bool:
        """Write all that was decided, with other messages; False when something has changed since it was read."""
        keys = {task_id: self._keys[key].given_to(task_id) for key, task_id in self._given.items()}
        steps = list(self._steps.values())
        width = TOGETHER if len(steps) + len(keys) + len(self._replaced) + len(others) <= TOGETHER else TOGETHER // 3
        for start in range(0, max(1, len(steps)), width):
            slice_ = steps[start : start + width]
            given = [keys[step.record.id] for step in slice_ if step.record.id in keys]
            replaced = list(self._replaced.values()) if start == 0 else []
            messages = [*others, *given] if start == 0 else given
            if (slice_ or messages or replaced) and not await write_together(
                self._store, slice_, messages, before=replaced
            ):
                return False
        await self._settle()
        return True

    async def _settle(self) -> None:
        """End those that needed what was replaced, and new ones that need what has ended badly."""
        await endings.settle(self._store, dict.fromkeys(self._replaced, "was cancelled"))
        waiting = [step.record for step in self._steps.values() if step.record.waited]
        if waiting:
            records = await self._store.records([record.id for record in waiting])
            reasons = await endings.spoiled(self._store, records.values())
            spoiled = {task_id: records[task_id] for task_id in reasons}
            ended = await self._store.change(
                spoiled, lambda record: endings.by_need(self._store, record, reasons[record.id])
            )
            await endings.settle(self._store, endings.bad_ends(ended.values()))


async def plan(
    store: OpenStore, tasks: Sequence[Task], *, more: Mapping[str, Facts] | None = None, forgiving: bool = False
) -> Plan:
    """Read what stands in the way of tasks, and decide.

    Raises:
        TaskQueueError: one is refused, and with it all.
    """
    places = await store.places([task.id for task in tasks])
    keys = await read_keys(store, {task.key for task in tasks if task.key is not None})
    wanted = {task_id for task in tasks for task_id in (*task.needs, *task.after)}
    needed = await store.records(wanted) if wanted else {}
    decided = Plan(store, places, keys, needed, more=more or {}, forgiving=forgiving)
    for task in tasks:
        decided.add(task)
    return decided


async def place_carefully(store: OpenStore, tasks: Sequence[Task]) -> list[str]:
    """Store tasks that have keys or needs, and tell the id that each has in the store."""
    for attempt in range(TRIES):
        decided = await plan(store, tasks)
        if await decided.write():
            return decided.ids
        await rest(attempt)
    raise BackendError(f"{len(tasks)} tasks could not be stored: what they depend on changed {TRIES} times")
