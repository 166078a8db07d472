"""What is asked for while a transaction is in flight goes into the next one; each caller gets an answer of its own."""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from contract.builders import claim_all, make_task, register, success

from sitq.backends.sqlite import SQLiteBackend, acting, tasks
from sitq.backends.sqlite.connection import Connection
from sitq.backends.sqlite.writer import Transaction, Writer
from sitq.core import OnConflict, Task
from sitq.exceptions import BackendError, TaskQueueError
from sitq.views import TaskQuery
from sqlite.probes import CountingLoop


class Ledger:
    """Counts the transactions of a connection by how they ended."""

    def __init__(self) -> None:
        self.ends: Counter[str] = Counter()

    async def follow(self, connection: Connection) -> None:
        await connection.call(lambda raw: raw.set_trace_callback(self._note))

    def _note(self, statement: str) -> None:
        if statement in ("commit", "rollback"):
            self.ends[statement] += 1


@pytest.fixture
async def ledger(connection: Connection) -> Ledger:
    ledger = Ledger()
    await ledger.follow(connection)
    return ledger


def insert(writer: Writer, *new: Task) -> asyncio.Task[Any]:
    return asyncio.ensure_future(writer.do(tasks.enqueue, new, rows=len(new)))


async def answers_of(*calls: asyncio.Task[Any]) -> list[Any]:
    return await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 10.0)


def ids_in(outsider: sqlite3.Connection) -> list[str]:
    return [task_id for (task_id,) in outsider.execute("select id from task order by seq")]


def poison(transaction: Transaction, requests: Sequence[Any]) -> list[Any]:
    """A verb that has written before it fails."""
    transaction.begin()
    transaction.execute("insert into paused values ('poisoned')")
    transaction.count("default", 1, 100)
    raise RuntimeError(requests[0])


async def test_many_callers_at_once_share_few_transactions(writer: Writer, ledger: Ledger) -> None:
    new = [make_task() for _ in range(200)]

    answers = await answers_of(*(insert(writer, task) for task in new))

    assert answers == [[task.id] for task in new]
    assert ledger.ends["commit"] <= 3


async def test_batch_ends_so_that_other_programs_get_the_lock(writer: Writer, ledger: Ledger) -> None:
    await answers_of(*(insert(writer, make_task()) for _ in range(2500)))

    assert 3 <= ledger.ends["commit"] <= 5


async def test_different_verbs_share_a_transaction(writer: Writer, ledger: Ledger) -> None:
    new = [make_task() for _ in range(20)]
    pauses = [asyncio.ensure_future(writer.do(acting.set_paused, (f"lane-{n}", True))) for n in range(20)]
    inserts = [insert(writer, task) for task in new]

    answers = await answers_of(*pauses, *inserts)

    assert answers == [None] * 20 + [[task.id] for task in new]
    assert ledger.ends["commit"] <= 3


async def test_callers_with_several_tasks_get_their_own_ids(writer: Writer) -> None:
    batches = [[make_task() for _ in range(size)] for size in (3, 1, 150, 2, 7)]

    answers = await answers_of(*(insert(writer, *batch) for batch in batches))

    assert answers == [[task.id for task in batch] for batch in batches]


def test_lone_caller_sets_no_timer(path: Path) -> None:
    loop = CountingLoop()

    async def enqueue_one() -> int:
        async with SQLiteBackend(path) as backend:
            await backend.enqueue([make_task()])
            before = loop.timers
            await backend.enqueue([make_task()])
            return loop.timers - before

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        assert runner.run(enqueue_one()) == 0


async def test_verb_that_fails_leaves_nothing_behind(writer: Writer, outsider: sqlite3.Connection) -> None:
    with pytest.raises(RuntimeError, match="alone"):
        await writer.do(poison, "alone", rows=1)

    assert outsider.execute("select * from paused").fetchall() == []
    assert outsider.execute("select * from counter").fetchall() == []


@pytest.mark.parametrize("rows", [1, 1000])
async def test_verb_that_fails_fails_alone(writer: Writer, outsider: sqlite3.Connection, rows: int) -> None:
    new = [make_task() for _ in range(3)]
    failing = asyncio.ensure_future(writer.do(poison, "no", rows=rows))

    error, *answers = await answers_of(failing, *(insert(writer, task) for task in new))

    assert isinstance(error, RuntimeError)
    assert answers == [[task.id] for task in new]
    assert ids_in(outsider) == [task.id for task in new]
    assert outsider.execute("select * from paused").fetchall() == []
    assert outsider.execute("select n from counter").fetchall() == [(3,)]


UNSTORABLE = [
    {"payload": {"not": "bytes"}},
    {"priority": 2**70},
    {"key": object()},
    {"queue": ["not", "text"]},
    {"meta": {"not": object()}},
    {"name": "half a pair: \ud800"},
]


@pytest.mark.parametrize("facts", UNSTORABLE)
async def test_task_that_cannot_be_stored_fails_alone(backend: SQLiteBackend, facts: dict[str, Any]) -> None:
    new = [make_task() for _ in range(20)]
    new[7] = make_task(**facts)

    answers = await answers_of(*(asyncio.ensure_future(backend.enqueue([task])) for task in new))

    assert isinstance(answers.pop(7), Exception)
    del new[7]
    assert answers == [[task.id] for task in new]
    assert set(await backend.results([task.id for task in new])) == {task.id for task in new}


@pytest.mark.parametrize("facts", UNSTORABLE[:4])
async def test_task_that_cannot_be_stored_raises_the_same_alone_and_in_company(
    backend: SQLiteBackend, facts: dict[str, Any]
) -> None:
    (alone,) = await answers_of(asyncio.ensure_future(backend.enqueue([make_task(**facts)])))

    _, beside, _ = await answers_of(
        *(asyncio.ensure_future(backend.enqueue([task])) for task in (make_task(), make_task(**facts), make_task()))
    )

    assert type(beside) is type(alone)


async def test_held_key_is_refused_to_its_caller_alone(backend: SQLiteBackend) -> None:
    await backend.enqueue([make_task(id="holder", key="a")])
    refused = make_task(key="a", on_conflict=OnConflict.RAISE)
    new = [make_task(), refused, make_task(key="a"), make_task()]

    first, error, third, last = await answers_of(*(asyncio.ensure_future(backend.enqueue([task])) for task in new))

    assert isinstance(error, TaskQueueError)
    assert (first, third, last) == ([new[0].id], ["holder"], [new[3].id])


async def test_refused_task_takes_none_of_its_batch_in(backend: SQLiteBackend) -> None:
    await backend.enqueue([make_task(key="a")])
    batch = [make_task(), make_task(key="a", on_conflict=OnConflict.RAISE)]
    beside = make_task()

    error, answer = await answers_of(*(asyncio.ensure_future(backend.enqueue(tasks)) for tasks in (batch, [beside])))

    assert isinstance(error, TaskQueueError)
    assert answer == [beside.id]
    assert set(await backend.results([task.id for task in [*batch, beside]])) == {beside.id}


async def test_existing_id_in_a_wide_insert_is_left_alone_and_the_others_go_in(backend: SQLiteBackend) -> None:
    await backend.enqueue([make_task(id="old", name="first")])
    new = [make_task() for _ in range(30)]
    new[11] = make_task(id="old", name="second")

    answers = await answers_of(*(asyncio.ensure_future(backend.enqueue([task])) for task in new))

    assert answers == [[task.id] for task in new]
    (stored,) = [info for info in await backend.list_tasks(TaskQuery()) if info.id == "old"]
    assert stored.name == "first"
    assert (await backend.stats()).queues[0].pending == 30


async def test_id_twice_in_a_wide_insert_goes_in_once(backend: SQLiteBackend) -> None:
    assert await backend.enqueue([make_task(id="a"), make_task(), make_task(id="a")])

    assert (await backend.stats()).queues[0].pending == 2


async def test_refused_outcome_in_a_wide_finish_leaves_the_others_accepted(backend: SQLiteBackend) -> None:
    worker = await register(backend)
    await backend.enqueue([make_task() for _ in range(100)])
    outcomes = [success(claim) for claim in await claim_all(backend, worker)]
    outcomes[40] = outcomes[40]._replace(attempt=9)

    first, second = await answers_of(
        *(asyncio.ensure_future(backend.finish(half)) for half in (outcomes[:50], outcomes[50:]))
    )

    assert (len(first), len(second)) == (49, 50)
    assert outcomes[40].id not in first


@pytest.mark.parametrize("turns", [0, 1, 2])
async def test_cancelled_callers_leave_the_answers_of_the_others(writer: Writer, turns: int) -> None:
    new = [make_task() for _ in range(20)]
    calls = [insert(writer, task) for task in new]
    for _ in range(turns):
        await asyncio.sleep(0)
    for call in calls[::2]:
        call.cancel()

    answers = await answers_of(*calls)

    assert answers[1::2] == [[task.id] for task in new[1::2]]
    assert all(isinstance(answer, asyncio.CancelledError | list) for answer in answers[::2])


async def test_request_that_finds_the_lock_taken_while_it_is_run_again_gets_its_answer(
    writer: Writer, outsider: sqlite3.Connection
) -> None:
    """A batch fails on the loop's own thread, and when its requests are run singly another program writes."""

    def fail_and_let_another_program_in(transaction: Transaction, requests: Sequence[Any]) -> list[Any]:
        if not outsider.in_transaction:
            outsider.execute("begin immediate")
            asyncio.get_running_loop().call_later(0.05, outsider.execute, "commit")
        raise RuntimeError("no")

    # The first caller alone is in flight when the next two ask, so that these make a batch.
    task = make_task()
    first = insert(writer, make_task())
    failing = asyncio.ensure_future(writer.do(fail_and_let_another_program_in, None, rows=1))

    _, error, answer = await answers_of(first, failing, insert(writer, task))

    assert isinstance(error, RuntimeError)
    assert answer == [task.id]


async def test_trouble_of_the_whole_store_is_told_to_everybody_at_once(
    path: Path, backend: SQLiteBackend, outsider: sqlite3.Connection
) -> None:
    async with SQLiteBackend(path, lock_timeout=0.3) as impatient:
        await impatient.enqueue([make_task()])
        outsider.execute("begin immediate")
        started = asyncio.get_running_loop().time()

        answers = await answers_of(*(asyncio.ensure_future(impatient.enqueue([make_task()])) for _ in range(50)))

        assert all(isinstance(answer, BackendError) for answer in answers)
        assert asyncio.get_running_loop().time() - started < 2.0
