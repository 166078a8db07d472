"""A store on a cluster: all its keys are on one node, which is found from any other."""

import asyncio
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from contract.builders import make_task, register, run_one, success
from redis.asyncio import Redis
from servers import Server, free_port

from sitq.backends.redis import RedisBackend
from sitq.core import TaskStatus


@pytest.fixture
async def cluster(start_server: Callable[..., Server]) -> list[str]:
    """The URLs of two nodes, each of which holds one half of the slots."""
    buses = [free_port(), free_port()]
    urls = [start_server("--cluster-enabled", "yes", "--cluster-port", bus).url for bus in buses]
    nodes = [Redis.from_url(url) for url in urls]
    await nodes[0].execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 8191)
    await nodes[1].execute_command("CLUSTER", "ADDSLOTSRANGE", 8192, 16383)
    await nodes[0].execute_command("CLUSTER", "MEET", "127.0.0.1", urlsplit(urls[1]).port, buses[1])
    for node in nodes:
        async with asyncio.timeout(10.0):
            while b"cluster_state:ok" not in await node.execute_command("CLUSTER", "INFO"):
                await asyncio.sleep(0.05)
        await node.aclose()
    return urls


@pytest.mark.parametrize("prefix", ["sitq", "another"])
async def test_store_is_found_from_any_node(cluster: list[str], prefix: str) -> None:
    async with RedisBackend(cluster[0], prefix=prefix) as first, RedisBackend(cluster[1], prefix=prefix) as second:
        claim = await run_one(first, await register(second))

        await second.finish([success(claim)])

        assert (await first.results([claim.id]))[claim.id].status is TaskStatus.SUCCESS


@pytest.mark.slow
async def test_wait_is_woken_through_another_node(cluster: list[str]) -> None:
    async with RedisBackend(cluster[0]) as first, RedisBackend(cluster[1]) as second:
        await first.wait(["default"], timeout=0.2)
        waiting = asyncio.create_task(first.wait(["default"], timeout=30.0))

        await second.enqueue([make_task()])

        await asyncio.wait_for(waiting, timeout=3.0)
