"""A store that three servers of a cluster keep: it outlives the loss of any of them."""

import asyncio
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import Server
from servers.nats import cluster

from sitq.backends.nats import NATSBackend
from sitq.core import TaskStatus
from sitq.exceptions import SitqError
from sitq.queue import TaskQueue
from sitq.views import TaskQuery
from sitq.worker import Worker

pytestmark = pytest.mark.slow


@pytest.fixture
def servers_of_cluster(tmp_path: Path) -> Iterator[list[Server]]:
    members = cluster(tmp_path / "cluster")
    for member in members:
        member.start()
    yield members
    for member in members:
        member.stop()


async def make_store(members: list[Server]) -> str:
    """Name a store that all members keep, once they have agreed on who leads."""
    hosts = ",".join(member.url.removeprefix("nats://") for member in members)
    url = f"nats://{hosts}?replicas=3&prefix={secrets.token_hex(8)}"
    deadline = time.monotonic() + 30.0
    while True:
        try:
            async with NATSBackend(url):
                return url
        except SitqError:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.2)


async def test_no_task_is_lost_or_runs_twice_when_a_server_dies(
    servers_of_cluster: list[Server], tmp_path: Path
) -> None:
    runs = tmp_path / "runs"

    async def note(number: int) -> None:
        with runs.open("a") as file:
            file.write(f"{number}\n")
        await asyncio.sleep(0.01)

    url = await make_store(servers_of_cluster)
    async with TaskQueue(url) as queue, Worker(url):
        tasks = await queue.enqueue_many(note, [(number,) for number in range(1500)])
        await asyncio.sleep(0.5)
        await asyncio.to_thread(servers_of_cluster[0].stop, kill=True)

        ended: list[str] = []
        deadline = time.monotonic() + 60.0
        while len(ended) < len(tasks):
            assert time.monotonic() < deadline, f"{len(ended)} tasks have ended"
            await asyncio.sleep(0.5)
            try:
                infos = await queue.list_tasks(TaskQuery(statuses=(TaskStatus.SUCCESS,), limit=10_000))
            except SitqError:
                continue
            ended = [info.id for info in infos if info.attempt == 1]
    assert sorted(map(int, runs.read_text().split())) == list(range(1500))
