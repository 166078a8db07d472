"""Feed: watches a real file, also when other processes change it, and acts on it."""

import asyncio
import contextlib
import sqlite3
import time
from pathlib import Path

import pytest
from monitor_listener import Listener
from monitor_store import FilledStore

from sitq.backends.sqlite import SQLiteBackend
from sitq.core import TaskStatus
from sitq.exceptions import ConnectionError
from sitq_monitor.feed import Feed, read_once
from sitq_monitor.model import SPAN, TaskId, TaskRow
from sitq_monitor.view import END, Filter, Snapshot, View


def head(snapshot: Snapshot) -> tuple[TaskRow, ...]:
    return (snapshot.rows.head if snapshot.rows else None) or ()


def names(snapshot: Snapshot) -> list[str]:
    return [row.name for row in head(snapshot)]


async def test_first_snapshot_holds_the_newest_tasks_and_counts(store: FilledStore) -> None:
    await store.succeed("done")
    await store.fail("broken")
    await store.enqueue("waiting")

    snapshot = await read_once(store.path, View())

    assert names(snapshot) == ["waiting", "broken", "done"]
    assert snapshot.counts.of(None) == 3
    assert snapshot.counts.alive == 1


async def test_view_of_a_state_lists_only_its_tasks(store: FilledStore) -> None:
    await store.succeed("done")
    await store.fail("broken")

    snapshot = await read_once(store.path, View(filter=Filter(status=TaskStatus.FAILED)))

    assert names(snapshot) == ["broken"]
    assert (head(snapshot)[0].note, head(snapshot)[0].note_is_error) == ("ValueError: no", True)


async def test_page_after_a_row_follows_it(store: FilledStore) -> None:
    for number in range(5):
        await store.enqueue(f"task_{number}")
    first = await read_once(store.path, View(limit=2))

    second = await read_once(store.path, View(limit=2, after=head(first)[-1].id))

    assert [row.name for row in second.rows.below] == ["task_2", "task_1"]


async def test_held_rows_are_read_anew(store: FilledStore) -> None:
    task_id = await store.fail("broken")
    await store.backend.requeue([task_id])

    snapshot = await read_once(store.path, View(held=(TaskId(task_id), TaskId("gone"))))

    assert [(row.id, row.status) for row in snapshot.held] == [(task_id, TaskStatus.PENDING)]


async def test_detail_holds_attempts_and_traceback(store: FilledStore) -> None:
    task_id = await store.fail("broken", traceback="Traceback\nValueError: no\x1b[2J\n")

    detail = (await read_once(store.path, View(task_id=TaskId(task_id)))).detail

    assert [(attempt.number, attempt.cause) for attempt in detail.attempts] == [(1, "error")]
    assert detail.traceback == "Traceback\nValueError: no␛[2J\n"


async def test_detail_of_a_deleted_task_is_none(store: FilledStore) -> None:
    assert (await read_once(store.path, View(task_id=TaskId("gone")))).detail is None


async def test_change_of_the_file_brings_a_snapshot(store: FilledStore, listener: Listener) -> None:
    await listener.snapshot(lambda snapshot: names(snapshot) == [])

    await store.enqueue("fresh")

    assert names(await listener.snapshot(lambda snapshot: head(snapshot))) == ["fresh"]


async def test_snapshots_come_at_most_four_times_a_second(store: FilledStore, listener: Listener) -> None:
    begun = time.monotonic()
    while time.monotonic() - begun < 1.0:
        await store.enqueue()
        await asyncio.sleep(0.01)

    assert 2 <= len(listener.snapshots) <= 7


async def test_quiet_file_brings_no_snapshot_but_the_first(store: FilledStore, listener: Listener) -> None:
    await store.enqueue()
    await listener.snapshot(lambda snapshot: head(snapshot))
    before = len(listener.snapshots)
    await asyncio.sleep(1.5)

    assert len(listener.snapshots) == before


async def test_view_is_answered_at_once(store: FilledStore, listener: Listener) -> None:
    await store.enqueue("waiting")
    await listener.snapshot(lambda snapshot: head(snapshot))

    begun = time.monotonic()
    listener.feed.look(View(filter=Filter(status=TaskStatus.FAILED)))
    await listener.snapshot(lambda snapshot: snapshot.view.filter.status is TaskStatus.FAILED)

    assert time.monotonic() - begun < 0.2


async def test_feed_that_is_not_live_reads_only_what_it_is_asked_for(store: FilledStore, listener: Listener) -> None:
    task_id = await store.enqueue("first")
    listener.feed.look(View(live=False, task_id=TaskId(task_id)))
    shown = await listener.snapshot(lambda snapshot: not snapshot.view.live)

    await store.enqueue("second")
    await asyncio.sleep(0.4)

    assert (shown.counts, shown.rows.head, shown.detail.row.name) == (None, None, "first")
    assert listener.snapshots[-1] is shown


async def test_file_that_is_replaced_is_told_and_read_again(store: FilledStore, listener: Listener) -> None:
    await store.enqueue("first")
    await listener.snapshot(lambda snapshot: head(snapshot))
    moved = store.path.with_name("moved.db")
    store.path.rename(moved)

    told = await listener.snapshot(lambda snapshot: snapshot.trouble)
    moved.rename(store.path)
    await store.enqueue("second")

    assert told.trouble.startswith("tasks.db was deleted or replaced")
    assert names(await listener.snapshot(lambda snapshot: len(head(snapshot)) == 2)) == ["second", "first"]


def test_missing_file_is_refused_and_not_made(tmp_path: Path) -> None:
    feed = Feed(tmp_path / "nothing.db", View())

    with pytest.raises(ConnectionError, match=r"nothing\.db does not exist"):
        feed.open()
    feed.close()

    assert list(tmp_path.iterdir()) == []


async def test_closing_twice_is_harmless(store: FilledStore) -> None:
    feed = Feed(store.path, View())
    feed.open()

    feed.close()
    feed.close()
    feed.look(View(limit=7))


async def test_filtered_view_is_searched_and_its_matches_are_counted(store: FilledStore, listener: Listener) -> None:
    for number in range(3):
        await store.enqueue(f"send_{number}", queue="mail")
    await store.enqueue("send_4")

    listener.feed.look(View(filter=Filter(name="send_*", queue="mail"), limit=2))

    snapshot = await listener.found(lambda snapshot: not snapshot.view.filter.is_plain and snapshot.rows)
    assert (names(snapshot), snapshot.rows.matches) == (["send_2", "send_1"], 3)


async def test_jump_to_the_end_and_back_reads_one_page_each(store: FilledStore) -> None:
    for number in range(9):
        await store.enqueue(f"task_{number}")

    end = (await read_once(store.path, View(limit=3, jump=END))).rows.jumped
    above = (await read_once(store.path, View(limit=3, above=end[0].id))).rows.over

    assert [row.name for row in end] == ["task_2", "task_1", "task_0"]
    assert [row.name for row in above] == ["task_5", "task_4", "task_3"]


@pytest.mark.parametrize(("jump", "name"), [(END, "task_0"), (0.0, "task_4")])
async def test_jump_brings_the_task_that_it_lands_on(
    store: FilledStore, listener: Listener, jump: float, name: str
) -> None:
    ids = [await store.enqueue(f"task_{number}") for number in range(5)]
    listener.feed.look(View(limit=2))
    await listener.snapshot(lambda snapshot: head(snapshot) and snapshot.view.limit == 2)

    listener.feed.look(View(limit=2, task_id=TaskId(ids[2]), jump=jump))

    landed = await listener.found(lambda snapshot: snapshot.rows and snapshot.rows.jumped)
    assert (landed.detail.row.name, landed.view.task_id) == (name, landed.detail.row.id)
    assert landed.rows.head is None


async def test_jump_to_a_moment_begins_with_what_arrived_before_it(store: FilledStore) -> None:
    for number in range(4):
        await store.enqueue(f"task_{number}")
        await asyncio.sleep(0.002)
    moment = (await read_once(store.path, View())).rows.head[1].enqueued_at

    jumped = (await read_once(store.path, View(jump=moment))).rows.jumped

    assert [row.name for row in jumped] == ["task_2", "task_1", "task_0"]


async def test_pulse_tells_how_tasks_end(store: FilledStore, listener: Listener) -> None:
    await store.succeed()
    await store.fail()

    pulse = await listener.pulse(lambda pulse: sum(pulse.failed))

    assert (sum(pulse.ok), sum(pulse.failed)) == (1 / SPAN, 1 / SPAN)
    assert (pulse.failing, pulse.rate) == (0.5, 0.2)
    assert 0 <= pulse.took.p50 <= pulse.took.p95 < 5


async def test_queues_and_workers_are_told(store: FilledStore) -> None:
    await store.run("send", queue="mail")
    await store.enqueue(queue="video")
    await store.backend.set_paused("video", True)

    counts = (await read_once(store.path, View())).counts

    assert [(queue.name, queue.running, queue.pending, queue.paused) for queue in counts.queues] == [
        ("mail", 1, 0, False),
        ("video", 0, 1, True),
    ]
    assert [(worker.running, worker.capacity, worker.alive) for worker in counts.workers] == [(1, 1, True)]


def test_locked_file_is_waited_for_behind_the_screen(path: Path) -> None:
    asyncio.run(make_empty(path))
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("pragma locking_mode = exclusive")
        other.execute("begin exclusive")
        feed = Feed(path, View())
        listener = Listener(feed)
        feed.open()
        told = listener.snapshots[-1].trouble
        begun = time.monotonic()
        feed.close()

    assert "locked" in told
    assert time.monotonic() - begun < 2


async def test_row_that_cannot_be_shown_is_told_and_does_not_end_the_feed(
    store: FilledStore, listener: Listener
) -> None:
    await store.enqueue(tags=("a",))
    with contextlib.closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("update task set tags = 'no JSON'")
        told = await listener.snapshot(lambda snapshot: snapshot.trouble)
        other.execute("update task set tags = null")

    assert "holds a value that sitq did not write" in told.trouble
    assert len(head(await listener.snapshot(lambda snapshot: not snapshot.trouble and snapshot.rows))) == 1


async def make_empty(path: Path) -> None:
    async with SQLiteBackend(path):
        pass
