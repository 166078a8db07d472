"""migrate copies what one store keeps into another, whatever the two are."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sitq import MemoryBackend, TaskQueue, TaskQueueError, Worker
from sitq.cli import main
from sitq.migrating import Migration, migrate


@pytest.fixture
async def source(path: Path) -> AsyncIterator[TaskQueue]:
    async with TaskQueue(path) as queue:
        yield queue


@pytest.fixture
async def target() -> AsyncIterator[TaskQueue]:
    async with TaskQueue(MemoryBackend()) as queue:
        yield queue


async def move(source: TaskQueue, target: TaskQueue, *, finished: bool = False) -> Migration:
    return await migrate(source.backend, target.backend, finished=finished)


async def run(queue: TaskQueue) -> None:
    await Worker(queue.backend).run_until_empty()


async def test_unfinished_tasks_run_in_the_target_under_their_ids(source: TaskQueue, target: TaskQueue) -> None:
    handles = await source.options(queue="mail", priority=3, tags=["a"]).map(abs, range(-1200, 0))

    assert await move(source, target) == Migration(unfinished=1200)

    await run(target)
    assert await target.gather(*map(target.handle, handles)) == list(range(1200, 0, -1))
    assert (await source.stats()).queues[0].pending == 1200


async def test_due_moments_expiry_and_options_are_kept(source: TaskQueue, target: TaskQueue) -> None:
    eta = datetime.now(UTC) + timedelta(hours=1)
    handle = await source.options(eta=eta, expires=7200.0, timeout=3.0, key="k", meta={"a": 1}).enqueue(abs, -1)

    await move(source, target)

    old, new = await source.get_task(handle), await target.get_task(handle)
    assert old is not None and new is not None
    assert (new.due_at, new.timeout, new.key, new.meta) == (old.due_at, 3.0, "k", {"a": 1})
    assert new.expires_at is not None and old.expires_at is not None
    assert abs(new.expires_at - old.expires_at) < timedelta(seconds=1)


async def test_what_expired_on_the_way_never_runs(source: TaskQueue, target: TaskQueue) -> None:
    handle = await source.options(expires=0.01).enqueue(abs, -1)
    await asyncio.sleep(0.02)

    await move(source, target)

    await run(target)
    assert await target.handle(handle).status() == "cancelled"


async def test_ended_tasks_stay_unless_they_are_asked_for(source: TaskQueue, target: TaskQueue) -> None:
    handle = await source.enqueue(abs, -1)
    await run(source)

    assert await move(source, target) == Migration()
    assert await move(source, target, finished=True) == Migration(finished=1)

    assert await target.handle(handle) == 1


async def test_values_that_unfinished_tasks_need_come_along(source: TaskQueue, target: TaskQueue) -> None:
    first = await source.enqueue(abs, -1)
    await run(source)
    second = await source.enqueue(str, first)
    third = await source.options(after=[first]).enqueue(str, second)

    assert await move(source, target) == Migration(unfinished=2, finished=1)

    await run(target)
    assert await target.handle(third) == "1"


async def test_schedules_come_along_and_stay_paused(source: TaskQueue, target: TaskQueue) -> None:
    await source.schedule(abs, -1, name="beat", every=3600.0)
    await source.schedule(abs, -1, name="nine", cron="0 9 * * *", timezone="Europe/Berlin")
    await source.pause_schedule("nine")
    await target.schedule(abs, -5, name="beat", every=60.0)

    assert (await move(source, target)).schedules == 1

    beat, nine = await target.schedules()
    assert (beat.every, nine.paused, nine.timezone) == (60.0, True, "Europe/Berlin")
    assert await (await target.run_schedule_now("nine")).status() == "pending"


async def test_a_paused_lane_stays_paused(source: TaskQueue, target: TaskQueue) -> None:
    await source.options(queue="mail").enqueue(abs, -1)
    await source.pause("mail")

    await move(source, target)

    assert (await target.stats()).queues[0].paused


async def test_a_second_migration_copies_nothing_twice(source: TaskQueue, target: TaskQueue) -> None:
    await source.map(abs, range(3))
    await move(source, target)
    await source.enqueue(abs, -9)

    assert await move(source, target) == Migration(unfinished=1)


async def test_a_key_that_is_held_in_the_target_is_left_out(source: TaskQueue, target: TaskQueue) -> None:
    await source.options(key="k").enqueue(abs, -1)
    await target.options(key="k").enqueue(abs, -2)

    assert await move(source, target) == Migration(held=1)


async def test_a_source_with_workers_is_refused(source: TaskQueue, target: TaskQueue) -> None:
    async with Worker(source.backend):
        with pytest.raises(TaskQueueError, match=r"is at work on SQLiteBackend\(.*stop its workers first"):
            await move(source, target)


async def test_the_command_copies_one_file_into_another(
    source: TaskQueue, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await source.map(abs, range(3))
    arguments = ["migrate", str(tmp_path / "tasks.db"), str(tmp_path / "new.db")]

    assert await asyncio.to_thread(main, arguments) == 0
    assert capsys.readouterr().out == "copied: 3 unfinished, 0 ended tasks, 0 schedules\n"
    assert await asyncio.to_thread(main, [*arguments, "--finished", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["unfinished"] == 0


async def test_the_command_makes_no_source(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "missing.db"

    assert await asyncio.to_thread(main, ["migrate", str(missing), str(tmp_path / "new.db")]) == 2

    assert "missing.db does not exist" in capsys.readouterr().err
    assert not missing.exists()
