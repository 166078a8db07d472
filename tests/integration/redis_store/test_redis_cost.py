"""What tasks cost a Redis server: the round trips are counted by the server itself."""

import asyncio

import pytest
from contract.builders import make_task

from sitq.backends.redis import RedisBackend
from sitq.queue import TaskQueue
from sitq.worker import Worker


async def add(left: int, right: int) -> int:
    return left + right


async def round_trips(backend: RedisBackend) -> int:
    """Count the commands that came from clients; those inside scripts are not among them."""
    stats = await backend._store.connection.command("INFO", "commandstats")
    lines = [line.split(b":calls=") for line in stats.splitlines() if b":calls=" in line]
    calls = {name: int(rest.partition(b",")[0]) for name, rest in lines}
    return calls.get(b"cmdstat_evalsha", 0) + calls.get(b"cmdstat_ping", 0)


async def test_running_a_task_costs_less_than_a_third_of_a_round_trip(backend: RedisBackend) -> None:
    queue = TaskQueue(backend)
    await queue.enqueue_many(add, [(1, 2)] * 1000)
    before = await round_trips(backend)

    async with backend.twin() as own:
        await Worker(own, max_concurrency=10).run_until_empty()

    cost = (await round_trips(backend) - before) / 1000
    assert cost <= 0.3, f"{cost} round trips a task"


async def test_tasks_that_are_enqueued_at_once_travel_together(backend: RedisBackend) -> None:
    before = await round_trips(backend)

    await asyncio.gather(*(backend.enqueue([make_task()]) for _ in range(500)))

    assert await round_trips(backend) - before <= 10


async def test_idle_worker_asks_a_few_times_a_second(backend: RedisBackend) -> None:
    async with backend.twin() as own, Worker(own):
        await asyncio.sleep(0.5)
        before = await round_trips(backend)
        await asyncio.sleep(1.5)
        asked = await round_trips(backend) - before

    assert asked <= 8


@pytest.mark.parametrize("tasks", [1, 10])
async def test_enqueue_costs_one_round_trip(backend: RedisBackend, tasks: int) -> None:
    before = await round_trips(backend)

    await backend.enqueue([make_task() for _ in range(tasks)])

    assert await round_trips(backend) - before == 1
