"""stats: counts by lane and status, and the workers seen."""

import asyncio
import random
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from contract.builders import (
    HOUR,
    cancellation,
    claim_all,
    failure,
    make_task,
    make_worker,
    register,
    retry,
    run_one,
    success,
)
from sitq.backends.base import Backend
from sitq.core import Cause, OnConflict, TaskStatus, WorkerInfo
from sitq.exceptions import TaskQueueError
from sitq.views import QueueStats, Stats, TaskQuery

QUEUES = ("mail", "video", "default")


async def lane(backend: Backend, queue: str) -> QueueStats:
    (found,) = [stats for stats in (await backend.stats()).queues if stats.queue == queue]
    return found


async def seen(backend: Backend, worker: WorkerInfo) -> WorkerInfo:
    (found,) = [info for info in (await backend.stats()).workers if info.id == worker.id]
    return found


async def test_stats_of_an_empty_store_count_nothing(backend: Backend) -> None:
    stats = await backend.stats()

    assert [stats.count(status) for status in TaskStatus] == [0] * len(TaskStatus)
    assert stats.workers == ()


async def test_stats_count_by_lane_and_status(backend: Backend, worker: WorkerInfo) -> None:
    await backend.enqueue([make_task(queue="mail") for _ in range(6)])
    good, bad, stopped, again, _, _ = await claim_all(backend, worker)
    await backend.finish([success(good), failure(bad), cancellation(stopped), retry(again, delay=HOUR)])
    await backend.enqueue([make_task(queue="video"), make_task(queue="video", delay=HOUR)])

    mail, video = await lane(backend, "mail"), await lane(backend, "video")

    assert (mail.pending, mail.scheduled, mail.running) == (1, 1, 2)
    assert (mail.success, mail.failed, mail.cancelled) == (1, 1, 1)
    assert (video.pending, video.scheduled, video.running) == (2, 1, 0)


async def test_scheduled_task_that_has_become_due_is_not_counted_scheduled(backend: Backend) -> None:
    await backend.enqueue([make_task(queue="mail", delay=0.05)])
    await asyncio.sleep(0.1)

    mail = await lane(backend, "mail")

    assert (mail.pending, mail.scheduled) == (1, 0)


async def test_oldest_due_at_is_since_when_the_longest_waiting_task_is_due(backend: Backend) -> None:
    eta = datetime.now(UTC) - timedelta(minutes=5)
    await backend.enqueue([make_task(), make_task(eta=eta, priority=-1), make_task(delay=HOUR)])

    oldest = (await lane(backend, "default")).oldest_due_at

    assert oldest is not None
    assert abs(oldest - eta) < timedelta(milliseconds=2)


async def test_oldest_due_at_is_none_when_nothing_is_due(backend: Backend, worker: WorkerInfo) -> None:
    await run_one(backend, worker)
    await backend.enqueue([make_task(delay=HOUR)])

    assert (await lane(backend, "default")).oldest_due_at is None


async def test_stats_tell_paused_lanes(backend: Backend, twin: Backend) -> None:
    await backend.enqueue([make_task(queue="mail"), make_task(queue="video")])

    await backend.set_paused("mail", True)

    assert {stats.queue: stats.paused for stats in (await twin.stats()).queues} == {"mail": True, "video": False}


async def test_stats_tell_a_paused_lane_without_tasks(backend: Backend) -> None:
    await backend.set_paused("mail", True)

    assert (await lane(backend, "mail")).paused


async def test_stats_tell_a_worker_as_it_presented_itself(backend: Backend) -> None:
    worker = make_worker(queues=("mail", "video"), max_concurrency=3)
    await register(backend, worker)

    found = await seen(backend, worker)

    for name in ("id", "host", "pid", "process", "queues", "max_concurrency", "python"):
        assert getattr(found, name) == getattr(worker, name), name
    assert abs(found.started_at - worker.started_at) < timedelta(milliseconds=2)


async def test_stats_tell_a_worker_of_all_lanes(backend: Backend, worker: WorkerInfo) -> None:
    assert (await seen(backend, worker)).queues is None


async def test_stats_tell_when_a_worker_was_seen_last(backend: Backend, worker: WorkerInfo) -> None:
    first = (await seen(backend, worker)).seen_at
    await asyncio.sleep(0.02)
    await backend.heartbeat(worker, {}, lease=30.0)

    second = (await seen(backend, worker)).seen_at

    assert first is not None
    assert second is not None
    assert first < second
    assert abs(datetime.now(UTC) - second) < timedelta(seconds=5)


async def test_stats_count_what_a_worker_runs(backend: Backend, worker: WorkerInfo, other: WorkerInfo) -> None:
    await backend.enqueue([make_task() for _ in range(3)])
    first, *_ = await claim_all(backend, worker)
    await backend.finish([success(first)])

    assert ((await seen(backend, worker)).running, (await seen(backend, other)).running) == (2, 0)


async def test_worker_is_alive_while_its_lease_holds(backend: Backend, worker: WorkerInfo) -> None:
    holding = (await seen(backend, worker)).alive
    await backend.heartbeat(worker, {}, lease=0.05)
    await asyncio.sleep(0.1)

    assert (holding, (await seen(backend, worker)).alive) == (True, False)


async def test_worker_is_not_alive_after_its_goodbye(backend: Backend, worker: WorkerInfo) -> None:
    await backend.heartbeat(worker, {}, lease=0)

    assert [info for info in (await backend.stats()).workers if info.alive] == []


async def recount(backend: Backend) -> Counter[tuple[str, str]]:
    """Count by listing everything."""
    now = datetime.now(UTC)
    counts: Counter[tuple[str, str]] = Counter()
    for info in await backend.list_tasks(TaskQuery(limit=100_000)):
        counts[info.queue, info.status.value] += 1
        counts[info.queue, "scheduled"] += info.status is TaskStatus.PENDING and info.due_at > now
    return +counts


def as_counts(stats: Stats) -> Counter[tuple[str, str]]:
    names = ("pending", "scheduled", "running", "success", "failed", "cancelled")
    return +Counter({(lane.queue, name): getattr(lane, name) for lane in stats.queues for name in names})


class RandomUser:
    """Sends verbs at random, as many producers, workers and people would."""

    def __init__(self, backend: Backend, worker: WorkerInfo, other: WorkerInfo, seed: int) -> None:
        self.backend, self.worker, self.other = backend, worker, other
        self.chance = random.Random(seed)
        self.ids: list[str] = []

    async def act(self) -> None:
        verbs = [self.enqueue, self.enqueue, self.claim, self.claim, self.finish, self.finish]
        verbs += [self.cancel, self.requeue, self.delete, self.purge, self.pause, self.crash]
        await self.chance.choice(verbs)()

    def some_ids(self) -> list[str]:
        return self.chance.sample(self.ids, min(len(self.ids), 4))

    async def enqueue(self) -> None:
        tasks = [
            make_task(
                queue=self.chance.choice(QUEUES),
                delay=self.chance.choice([0.0, 0.0, HOUR]),
                key=self.chance.choice([None, None, "a", "b"]),
                on_conflict=self.chance.choice(list(OnConflict)),
                python=self.chance.choice([None, None, None, "2.7"]),
            )
            for _ in range(self.chance.randint(1, 4))
        ]
        with suppress(TaskQueueError):  # a held key that says "raise" is part of the game
            self.ids += await self.backend.enqueue(tasks)

    async def claim(self) -> None:
        queues = self.chance.choice([None, ["mail"], ["video", "default"]])
        await self.backend.claim(self.worker.id, queues, limit=self.chance.randint(1, 5), lease=30.0)

    async def finish(self) -> None:
        ends = [success, failure, cancellation, lambda claim: retry(claim, self.chance.choice(list(Cause)[1:]))]
        running = await self.backend.list_tasks(TaskQuery(statuses=(TaskStatus.RUNNING,), limit=3))
        await self.backend.finish([self.chance.choice(ends)(info) for info in running])

    async def cancel(self) -> None:
        await self.backend.cancel(self.some_ids())

    async def requeue(self) -> None:
        await self.backend.requeue(self.some_ids())

    async def delete(self) -> None:
        await self.backend.delete(self.some_ids()[:1])

    async def purge(self) -> None:
        await self.backend.purge(older_than=0.0, limit=2)

    async def pause(self) -> None:
        await self.backend.set_paused(self.chance.choice(QUEUES), self.chance.choice([True, False]))

    async def crash(self) -> None:
        """Say goodbye, or be declared dead, and come back."""
        await self.backend.heartbeat(self.worker, {}, lease=self.chance.choice([0.0, 0.001]))
        await asyncio.sleep(0.002)
        await self.backend.claim(self.other.id, None, limit=2, lease=30.0)
        await self.backend.heartbeat(self.worker, {}, lease=30.0)


@pytest.mark.parametrize("seed", range(5))
async def test_stats_equal_a_recount_after_any_sequence_of_verbs(
    backend: Backend, worker: WorkerInfo, other: WorkerInfo, seed: int
) -> None:
    user = RandomUser(backend, worker, other, seed)
    for _ in range(150):
        await user.act()

    stats, recounted = await backend.stats(), await recount(backend)

    assert recounted
    assert stats.approximate or as_counts(stats) == recounted
