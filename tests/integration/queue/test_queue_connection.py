"""Tasks enqueued on a connection of one's own exist exactly if its transaction commits."""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiosqlite
import pytest

from sitq import BackendError, SyncTaskQueue, TaskQueue, TaskQueueError, ValidationError, Worker


@pytest.fixture
async def queue(path: Path) -> AsyncIterator[TaskQueue]:
    async with TaskQueue(path) as queue:
        yield queue


@pytest.fixture
def connection(queue: TaskQueue, path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path)
    connection.execute("create table orders(number integer)")
    yield connection
    connection.close()


async def test_a_task_exists_when_the_transaction_commits(queue: TaskQueue, connection: sqlite3.Connection) -> None:
    with connection:
        connection.execute("insert into orders values (7)")
        handle = await queue.options(connection=connection, priority=3).enqueue(abs, -7)
        assert await queue.get_task(handle) is None

    async with Worker(queue.backend):
        assert await handle == 7
    assert (await queue.stats()).queues[0].success == 1


async def test_no_task_exists_when_it_is_rolled_back(queue: TaskQueue, connection: sqlite3.Connection) -> None:
    connection.execute("insert into orders values (7)")
    handles = await queue.options(connection=connection).map(abs, [-1, -2])
    connection.rollback()

    assert await queue.list_tasks() == []
    assert (await queue.stats()).queues == ()
    assert await queue.get_result(handles[0], timeout=0) is None


async def test_a_worker_hears_of_the_commit(queue: TaskQueue, connection: sqlite3.Connection) -> None:
    async with Worker(queue.backend, poll_interval=60):
        with connection:
            handle = await queue.options(connection=connection).enqueue(abs, -7)
        assert await handle.result(timeout=5) == 7


async def test_a_connection_of_aiosqlite_serves_as_well(queue: TaskQueue, path: Path) -> None:
    async with aiosqlite.connect(path) as connection:
        first = await queue.options(connection=connection).enqueue(abs, -1)
        await connection.rollback()
        second = await queue.options(connection=connection).enqueue(abs, -2)
        await connection.commit()

    assert [task.id for task in await queue.list_tasks()] == [second]
    assert await queue.get_task(first) is None


async def test_how_the_caller_reads_does_not_matter(queue: TaskQueue, connection: sqlite3.Connection) -> None:
    connection.row_factory, connection.text_factory = dict_of, bytes
    with connection:
        held = await queue.options(connection=connection, key="report").enqueue(abs, -1)
        same = await queue.options(connection=connection, key="report").enqueue(abs, -2)

    assert same == held
    assert connection.execute("select 1 as one").fetchone() == {"one": 1}
    assert connection.text_factory is bytes


def dict_of(cursor: sqlite3.Cursor, row: tuple[object, ...]) -> dict[str, object]:
    return {column[0]: value for column, value in zip(cursor.description, row, strict=True)}


async def test_a_refusal_leaves_what_the_caller_did(queue: TaskQueue, connection: sqlite3.Connection) -> None:
    with connection:
        connection.execute("insert into orders values (7)")
        held = await queue.options(connection=connection, key="k").enqueue(abs, -1)
        with pytest.raises(TaskQueueError, match=f"held by task {held}"):
            await queue.options(connection=connection, key="k", on_conflict="raise").map(abs, [-2])

    assert [task.id for task in await queue.list_tasks()] == [held]
    assert connection.execute("select count(*) from orders").fetchone() == (1,)


async def test_an_id_that_exists_is_left_as_it_is(queue: TaskQueue, connection: sqlite3.Connection) -> None:
    stored = (await queue.backend.tasks([await queue.enqueue(abs, -1)])).values()
    with connection:
        assert await queue.backend.enqueue_on(connection, [*stored]) == [task.id for task in stored]

    assert (await queue.stats()).queues[0].pending == 1


async def test_a_task_may_wait_for_one_of_the_same_transaction(
    queue: TaskQueue, connection: sqlite3.Connection
) -> None:
    bound = queue.options(connection=connection)
    with connection:
        first = await bound.enqueue(abs, -7)
        second = await bound.enqueue(str, first)

    async with Worker(queue.backend):
        assert await second == "7"


def test_a_blocking_queue_uses_a_connection_in_the_thread_that_opened_it(path: Path) -> None:
    with SyncTaskQueue(path) as queue:
        connection = sqlite3.connect(path)
        with connection:
            (kept,) = queue.options(connection=connection).options(priority=1).enqueue_many(abs, [(-1,)])
        connection.execute("begin")
        queue.options(connection=connection).enqueue(abs, -2)
        connection.close()

        assert [(task.id, task.priority) for task in queue.list_tasks()] == [(kept, 1)]


async def test_a_connection_that_would_commit_at_once_is_refused(queue: TaskQueue, path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    with pytest.raises(ValidationError, match="no transaction open, and would commit at once; begin one first"):
        await queue.options(connection=connection).enqueue(abs, -1)

    connection.execute("begin")
    handle = await queue.options(connection=connection).enqueue(abs, -1)
    connection.execute("commit")
    assert (await handle.status()) == "pending"
    connection.close()


async def test_a_connection_to_another_file_is_refused(queue: TaskQueue, tmp_path: Path) -> None:
    for elsewhere in (sqlite3.connect(tmp_path / "other.db"), sqlite3.connect(":memory:")):
        with pytest.raises(ValidationError, match=r"must lead to the store .*tasks\.db, it leads to"):
            await queue.options(connection=elsewhere).enqueue(abs, -1)
        elsewhere.close()


async def test_what_is_no_connection_is_refused(queue: TaskQueue) -> None:
    with pytest.raises(ValidationError, match=r"one of sqlite3 or aiosqlite, got builtins\.str"):
        await queue.options(connection="tasks.db").enqueue(abs, -1)


async def test_a_locked_file_is_named(queue: TaskQueue, connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("pragma busy_timeout = 0")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("begin immediate")
    with pytest.raises(BackendError, match=r"tasks\.db is locked by another program"):
        await queue.options(connection=connection).enqueue(abs, -1)
    other.close()


async def test_a_schedule_is_not_stored_on_a_connection(queue: TaskQueue, connection: sqlite3.Connection) -> None:
    with pytest.raises(ValidationError, match="leave the option connection out"):
        await queue.options(connection=connection).schedule(abs, -1, every=60.0)
