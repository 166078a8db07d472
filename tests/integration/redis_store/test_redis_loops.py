"""One store from many loops, threads and processes: each has connections of its own, and what a dead loop left goes."""

import asyncio
import gc
import os
import sys
import threading

import pytest
from contract.builders import claim_all, make_task, register

from sitq.backends.redis import RedisBackend
from sitq.core import TaskStatus
from sitq.exceptions import BackendError


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_backend_whose_loop_has_ended_is_opened_again(url: str) -> None:
    backend = RedisBackend(url)

    async def leave_open() -> None:
        await backend.connect()
        await backend.enqueue([make_task()])

    asyncio.run(leave_open())
    told = backend.connected

    async def go_on() -> int:
        async with backend:
            return (await backend.stats()).count(TaskStatus.PENDING)

    assert (told, asyncio.run(go_on())) == (False, 1)
    gc.collect()  # what the dead loop left warns here, and not in the next test


async def test_twins_on_two_threads_share_the_store(backend: RedisBackend) -> None:
    tasks = [make_task() for _ in range(50)]

    async def enqueue_on_twin() -> None:
        async with backend.twin() as twin:
            await asyncio.gather(*(twin.enqueue([task]) for task in tasks))

    thread = threading.Thread(target=asyncio.run, args=(enqueue_on_twin(),))
    thread.start()
    await asyncio.to_thread(thread.join)

    claims = await claim_all(backend, await register(backend))
    assert {claim.id for claim in claims} == {task.id for task in tasks}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
async def test_forked_child_is_refused(backend: RedisBackend) -> None:
    pid = os.fork()
    if pid == 0:
        try:
            backend.stats().send(None)
        except BackendError as exc:
            os._exit(7 if "cannot be used in its forked child" in str(exc) else 1)
        os._exit(1)

    _, status = await asyncio.to_thread(os.waitpid, pid, 0)

    assert os.waitstatus_to_exitcode(status) == 7
    assert (await backend.stats()).queues == ()


async def test_cancelled_caller_leaves_the_connection_in_order(backend: RedisBackend) -> None:
    tasks = [make_task(payload=b"x" * 2_000_000) for _ in range(4)]
    await backend.enqueue(tasks)
    for _ in range(5):
        reading = asyncio.create_task(backend.tasks([task.id for task in tasks]))
        await asyncio.sleep(0.001)
        reading.cancel()
        await asyncio.wait({reading})

    assert (await backend.stats()).count(TaskStatus.PENDING) == 4


async def test_close_lets_what_is_under_way_end(backend: RedisBackend) -> None:
    async with backend.twin() as twin:
        pending = [asyncio.create_task(twin.enqueue([make_task()])) for _ in range(100)]
        await asyncio.sleep(0)
    await asyncio.gather(*pending)

    assert (await backend.stats()).count(TaskStatus.PENDING) == 100
