"""Feed: watches a real file, also when other processes change it, and acts on it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from monitor_store import FilledStore

from sitq.core import TaskStatus
from sitq.exceptions import ConnectionError
from sitq_monitor.feed import Feed, read_once
from sitq_monitor.model import Action, Outcome, Snapshot, TaskId, View


class Listener:
    """A feed and the news that it posted."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.news: list[Snapshot | Outcome] = []
        feed.listen(self.news.append)

    @property
    def snapshots(self) -> list[Snapshot]:
        return [news for news in self.news if isinstance(news, Snapshot)]

    @property
    def outcomes(self) -> list[Outcome]:
        return [news for news in self.news if isinstance(news, Outcome)]

    async def snapshot(self, fits: Callable[[Snapshot], object]) -> Snapshot:
        """Wait until the newest snapshot fits."""
        deadline = time.monotonic() + 5
        while not (self.snapshots and fits(self.snapshots[-1])):
            assert time.monotonic() < deadline, f"no such snapshot, the last of {len(self.snapshots)} differs"
            await asyncio.sleep(0.005)
        return self.snapshots[-1]

    async def outcome(self) -> Outcome:
        """Wait until an action has been carried out."""
        deadline = time.monotonic() + 5
        while not self.outcomes:
            assert time.monotonic() < deadline, "no outcome came"
            await asyncio.sleep(0.005)
        return self.outcomes[-1]


@pytest.fixture
async def listener(store: FilledStore) -> AsyncIterator[Listener]:
    feed = Feed(store.path, View())
    feed.open()
    yield Listener(feed)
    feed.close()


def names(snapshot: Snapshot) -> list[str]:
    return [row.name for row in snapshot.head]


async def test_first_snapshot_holds_the_newest_tasks_and_counts(store: FilledStore) -> None:
    await store.succeed("done")
    await store.fail("broken")
    await store.enqueue("waiting")

    snapshot = await read_once(store.path, View())

    assert names(snapshot) == ["waiting", "broken", "done"]
    assert snapshot.counts.of(None) == 3
    assert snapshot.counts.workers == 1


async def test_view_of_a_state_lists_only_its_tasks(store: FilledStore) -> None:
    await store.succeed("done")
    await store.fail("broken")

    snapshot = await read_once(store.path, View(status=TaskStatus.FAILED))

    assert names(snapshot) == ["broken"]
    assert (snapshot.head[0].note, snapshot.head[0].note_is_error) == ("ValueError: no", True)


async def test_page_after_a_row_follows_it(store: FilledStore) -> None:
    for number in range(5):
        await store.enqueue(f"task_{number}")
    first = await read_once(store.path, View(limit=2))

    second = await read_once(store.path, View(limit=2, before=first.head[-1].id))

    assert [row.name for row in second.tail] == ["task_2", "task_1"]


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

    assert names(await listener.snapshot(lambda snapshot: snapshot.head)) == ["fresh"]


async def test_snapshots_come_at_most_four_times_a_second(store: FilledStore, listener: Listener) -> None:
    begun = time.monotonic()
    while time.monotonic() - begun < 1.0:
        await store.enqueue()
        await asyncio.sleep(0.01)

    assert 2 <= len(listener.snapshots) <= 7


async def test_quiet_file_brings_no_snapshot_but_the_first(store: FilledStore, listener: Listener) -> None:
    await store.enqueue()
    await listener.snapshot(lambda snapshot: snapshot.head)
    before = len(listener.snapshots)
    await asyncio.sleep(1.5)

    assert len(listener.snapshots) == before


async def test_view_is_answered_at_once(store: FilledStore, listener: Listener) -> None:
    await store.enqueue("waiting")
    await listener.snapshot(lambda snapshot: snapshot.head)

    begun = time.monotonic()
    listener.feed.look(View(status=TaskStatus.FAILED))
    await listener.snapshot(lambda snapshot: snapshot.view.status is TaskStatus.FAILED)

    assert time.monotonic() - begun < 0.2


async def test_feed_that_is_not_live_reads_only_what_it_is_asked_for(store: FilledStore, listener: Listener) -> None:
    task_id = await store.enqueue("first")
    listener.feed.look(View(live=False, task_id=TaskId(task_id)))
    shown = await listener.snapshot(lambda snapshot: not snapshot.view.live)

    await store.enqueue("second")
    await asyncio.sleep(0.4)

    assert (shown.counts, shown.head, shown.detail.row.name) == (None, (), "first")
    assert listener.snapshots[-1] is shown


async def test_requeue_reaches_only_what_has_ended(store: FilledStore, listener: Listener) -> None:
    broken, waiting = await store.fail(), await store.enqueue()

    listener.feed.act(Action.REQUEUE, [TaskId(broken), TaskId(waiting)])

    outcome = await listener.outcome()
    assert (outcome.asked, outcome.reached) == (2, 1)
    assert (await store.look_up(broken)).status is TaskStatus.PENDING


async def test_cancel_makes_a_pending_task_cancelled(store: FilledStore, listener: Listener) -> None:
    waiting = await store.enqueue()

    listener.feed.act(Action.CANCEL, [TaskId(waiting)])

    assert (await listener.outcome()).reached == 1
    assert (await store.look_up(waiting)).status is TaskStatus.CANCELLED


async def test_action_is_finished_before_the_feed_closes(store: FilledStore) -> None:
    waiting = await store.enqueue()
    feed = Feed(store.path, View())
    feed.open()

    feed.act(Action.CANCEL, [TaskId(waiting)])
    feed.close()

    assert (await store.look_up(waiting)).status is TaskStatus.CANCELLED


async def test_file_that_is_replaced_is_told_and_read_again(store: FilledStore, listener: Listener) -> None:
    await store.enqueue("first")
    await listener.snapshot(lambda snapshot: snapshot.head)
    moved = store.path.with_name("moved.db")
    store.path.rename(moved)

    told = await listener.snapshot(lambda snapshot: snapshot.trouble)
    moved.rename(store.path)
    await store.enqueue("second")

    assert str(store.path) in told.trouble
    assert names(await listener.snapshot(lambda snapshot: len(snapshot.head) == 2)) == ["second", "first"]


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
