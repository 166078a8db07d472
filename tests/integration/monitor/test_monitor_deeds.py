"""What a person has done through the feed: planned first, and never to a task that has moved on."""

import csv
import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from monitor_listener import Listener, wait_until
from monitor_store import FilledStore

from sitq import TaskQueue
from sitq.core import TaskStatus
from sitq_monitor.deed import PLAN_LIMIT, Action, Done, Progress, Scope, Tally
from sitq_monitor.feed import Feed
from sitq_monitor.view import Filter, Snapshot, View


def scope(**conditions: object) -> Scope:
    return Scope(ids=None, filter=Filter(**conditions), asked_at=datetime.now(UTC))


async def test_plan_tells_what_would_be_reached_and_changes_nothing(store: FilledStore, listener: Listener) -> None:
    broken, waiting = await store.fail("sync"), await store.enqueue("send")

    plan = await listener.plan(Action.REQUEUE, broken, waiting)

    assert (plan.eligible, plan.skipped, plan.names) == (1, ((TaskStatus.PENDING, 1),), ("sync",))
    assert (await store.look_up(broken)).status is TaskStatus.FAILED


@pytest.mark.parametrize(
    ("action", "reached"),
    [
        (Action.REQUEUE, {"failed"}),
        (Action.CANCEL, {"waiting", "scheduled"}),
        (Action.DELETE, {"failed", "waiting", "scheduled"}),
        (Action.RUN_NOW, {"scheduled"}),
        (Action.RERUN, {"failed", "waiting", "scheduled"}),
    ],
)
async def test_action_reaches_only_the_states_that_are_its_own(
    store: FilledStore, listener: Listener, action: Action, reached: set[str]
) -> None:
    ids = {
        "failed": await store.fail(),
        "waiting": await store.enqueue(),
        "scheduled": await store.enqueue(delay=3600.0),
    }

    outcome = await listener.do(action, *ids.values())

    assert (outcome.asked, outcome.reached, outcome.trouble) == (len(reached), len(reached), None)


async def test_run_now_makes_due_what_waited_for_its_moment(store: FilledStore, listener: Listener) -> None:
    later = await store.enqueue("later", delay=3600.0)

    await listener.do(Action.RUN_NOW, name="later")

    info = await store.look_up(later)
    assert info.phase(datetime.now(UTC)) == "pending"


async def test_rerun_stores_copies_of_all_that_match_and_none_of_the_copies(
    store: FilledStore, listener: Listener
) -> None:
    await store.enqueue_many(700)
    plan = await listener.plan(Action.RERUN, name="greet")

    listener.feed.act(plan)
    outcome = await listener.heard(Tally)

    assert (plan.eligible, outcome.reached) == (700, 700)
    (lane,) = (await store.backend.stats()).queues
    assert lane.pending == 1400


async def test_plan_for_one_task_tells_its_arguments(store: FilledStore, listener: Listener) -> None:
    waiting = await store.enqueue(arguments="'ada', times=2\x1b[2J")

    assert (await listener.plan(Action.RERUN, waiting)).arguments == "'ada', times=2␛[2J"


async def test_plan_to_run_all_now_is_counted_by_the_store(store: FilledStore, listener: Listener) -> None:
    await store.enqueue_many(PLAN_LIMIT)
    await store.enqueue(delay=3600.0)

    plan = await listener.plan(Action.RUN_NOW, status=TaskStatus.PENDING)

    assert (plan.eligible, plan.skipped, plan.counted_all) == (1, (("pending", PLAN_LIMIT),), True)


async def test_what_a_filter_leaves_out_is_not_reached(store: FilledStore, listener: Listener) -> None:
    kept = [await store.fail("keep"), await store.enqueue("send", queue="mail"), await store.enqueue("tidy")]
    await store.enqueue("send")
    excepted = {"except_names": ("ti*",), "except_queues": ("mail",), "except_statuses": (TaskStatus.FAILED,)}

    outcome = await listener.do(Action.DELETE, **excepted)

    assert outcome.reached == 1
    assert {info.id for info in await store.list()} == set(kept)


async def test_all_that_match_are_reached_but_those_that_arrive_later(store: FilledStore, listener: Listener) -> None:
    old = [await store.enqueue("send") for _ in range(3)]
    other = await store.enqueue("keep")
    plan = await listener.plan(Action.DELETE, name="send")
    later = await store.enqueue("send")

    listener.feed.act(plan)
    outcome = await listener.heard(Tally)

    assert (plan.eligible, outcome.reached) == (3, 3)
    assert {info.id for info in await store.list()} == {other, later}
    assert old


async def test_task_that_moves_on_after_the_plan_is_skipped(store: FilledStore, listener: Listener) -> None:
    broken = await store.fail()
    plan = await listener.plan(Action.REQUEUE, broken)
    await store.backend.requeue([broken])

    listener.feed.act(plan)

    assert (await listener.heard(Tally)).reached == 0


async def test_many_are_done_in_batches_and_more_than_a_plan_counts(store: FilledStore, listener: Listener) -> None:
    number = PLAN_LIMIT + 600
    await store.enqueue_many(number)

    plan = await listener.plan(Action.CANCEL, name="gr*")
    listener.feed.act(plan)
    await wait_until(lambda: any(isinstance(news, Tally) for news in listener.news), within=30)

    assert (plan.eligible, plan.counted_all) == (PLAN_LIMIT, False)
    assert (await listener.heard(Tally)).reached == number
    assert len([news for news in listener.news if isinstance(news, Progress)]) > 20


async def test_all_of_a_state_are_counted_by_the_store(store: FilledStore, listener: Listener) -> None:
    await store.enqueue_many(PLAN_LIMIT + 5)

    plan = await listener.plan(Action.CANCEL, status=TaskStatus.PENDING)

    assert (plan.eligible, plan.counted_all) == (PLAN_LIMIT + 5, True)


async def test_action_stops_between_two_batches(store: FilledStore, listener: Listener) -> None:
    await store.enqueue_many(3000)
    plan = await listener.plan(Action.CANCEL, status=TaskStatus.PENDING)

    listener.feed.act(plan)
    await listener.heard(Progress)
    listener.feed.halt()

    outcome = await listener.heard(Tally)
    assert outcome.stopped
    assert 0 < outcome.reached < 3000


async def test_action_is_finished_before_the_feed_closes(store: FilledStore) -> None:
    waiting = await store.enqueue()
    feed = Feed(store.path, View())
    feed.open()
    listener = Listener(feed)
    plan = await listener.plan(Action.CANCEL, waiting)

    feed.act(plan)
    feed.close()

    assert (await store.look_up(waiting)).status is TaskStatus.CANCELLED


async def test_queue_is_stopped_and_resumed(store: FilledStore, listener: Listener) -> None:
    await store.enqueue(queue="mail")

    listener.feed.set_paused("mail", True)
    await listener.snapshot(lambda snapshot: snapshot.counts and snapshot.counts.queues[0].paused)
    listener.feed.set_paused("mail", False)
    await listener.snapshot(lambda snapshot: snapshot.counts and not snapshot.counts.queues[0].paused)

    assert (await listener.heard(Done)).words == "queue mail goes on"


async def test_schedule_is_told_stopped_and_run(store: FilledStore, listener: Listener) -> None:
    async with TaskQueue(store.path) as queue:
        await queue.schedule(print, "x", name="nightly", every=3600.0)

    def told(snapshot: Snapshot) -> object:
        return snapshot.schedules and snapshot.schedules[0].paused == paused

    for paused in (True, False):
        listener.feed.set_schedule_paused("nightly", paused)
        await wait_until(lambda: any(told(news) for news in listener.news if isinstance(news, Snapshot)))
    listener.feed.run_schedule("nightly")
    await wait_until(lambda: any("has enqueued" in news.words for news in listener.news if isinstance(news, Done)))

    (task,) = await store.list()
    assert task.name.endswith("print")


async def test_schedule_that_is_gone_is_told(store: FilledStore, listener: Listener) -> None:
    listener.feed.set_schedule_paused("nightly", True)
    gone = await listener.heard(Done)
    listener.news.clear()
    listener.feed.run_schedule("nightly")
    unknown = await listener.heard(Done)

    assert (gone.failed, gone.words) == (True, "there is no schedule nightly any more")
    assert unknown.failed and "there is no schedule 'nightly'" in unknown.words


async def test_read_only_feed_cannot_change_a_thing(store: FilledStore) -> None:
    waiting = await store.enqueue()
    feed = Feed(store.path, View(), read_only=True)
    feed.open()
    listener = Listener(feed)

    outcome = await listener.do(Action.CANCEL, waiting)
    feed.close()

    assert "open for reading only" in outcome.trouble
    assert (await store.look_up(waiting)).status is TaskStatus.PENDING


async def test_export_writes_json_lines_that_only_the_owner_reads(
    store: FilledStore, listener: Listener, tmp_path: Path
) -> None:
    task_id = await store.fail("broken\u202e", error="=1+1\x1b[2J")
    path = tmp_path / "out.jsonl"

    listener.feed.export(path, scope())

    assert (await listener.heard(Done)).words == f"1 tasks written to {path}"
    (told,) = map(json.loads, path.read_text().splitlines())
    assert (told["id"], told["name"], told["status"]) == (task_id, "broken\\u202e", "failed")
    assert path.read_bytes().isascii()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_export_writes_csv_that_a_spreadsheet_does_not_calculate(
    store: FilledStore, listener: Listener, tmp_path: Path
) -> None:
    await store.fail("@sum", error="=1+1\x1b[2J")
    await store.enqueue("plain", tags=("a", "b"))
    path = tmp_path / "out.csv"

    listener.feed.export(path, scope())
    await listener.heard(Done)

    plain, broken = csv.DictReader(path.read_text().splitlines())
    assert (broken["name"], broken["error"]) == ("'@sum", "'=1+1␛[2J")
    assert (plain["name"], plain["tags"]) == ("plain", "a, b")


async def test_export_does_not_touch_a_file_that_is_there(
    store: FilledStore, listener: Listener, tmp_path: Path
) -> None:
    path = tmp_path / "out.csv"
    path.write_text("mine")

    listener.feed.export(path, scope())

    done = await listener.heard(Done)
    assert (done.failed, path.read_text()) == (True, "mine")
    assert "cannot be written: File exists" in done.words
