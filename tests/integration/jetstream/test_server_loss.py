"""A server that goes away and comes back: nothing is lost, and no attempt is counted twice."""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from contract.builders import claim_all, make_task, register, success
from servers import Server

from sitq.backends.nats import NATSBackend
from sitq.core import TaskStatus
from sitq.exceptions import BackendError, ConnectionError
from sitq.queue import TaskQueue
from sitq.views import TaskQuery
from sitq.worker import Worker

pytestmark = pytest.mark.filterwarnings("ignore:.*:ResourceWarning")


@pytest.fixture
def store(server: Server) -> str:
    """An empty store on the server that the test may stop."""
    return f"{server.url}?prefix={secrets.token_hex(8)}"


async def stop(server: Server, *, kill: bool = False) -> None:
    await asyncio.to_thread(server.stop, kill=kill)


async def start(server: Server) -> None:
    await asyncio.to_thread(server.start)


async def until(probe: Callable[[], Awaitable[Any]], timeout: float = 15.0) -> Any:
    """Ask until the answer is truthy; trouble with the server counts as no answer."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            if answer := await probe():
                return answer
        except BackendError:
            pass
        assert time.monotonic() < deadline, f"it did not come in {timeout} s"
        await asyncio.sleep(0.05)


async def test_verbs_say_in_one_sentence_that_the_server_is_away(store: str, server: Server) -> None:
    async with NATSBackend(store) as backend:
        await stop(server)
        await asyncio.sleep(0.1)

        with pytest.raises(ConnectionError, match=r"the NATS server at nats://127\.0\.0\.1:\d+\S* is away") as refusal:
            await backend.enqueue([make_task()])

    assert "\n" not in str(refusal.value)


async def test_backend_goes_on_when_the_server_is_back(store: str, server: Server) -> None:
    async with NATSBackend(store) as backend:
        worker = await register(backend)
        before, after = make_task(), make_task()
        await backend.enqueue([before])
        await stop(server)
        await start(server)

        await until(lambda: backend.enqueue([after]))

        claimed = await until(lambda: claim_all(backend, worker))
        assert [claim.id for claim in claimed] == [before.id, after.id]
        assert await backend.finish([success(claim) for claim in claimed]) == {before.id, after.id}


async def test_wait_goes_on_while_the_server_is_away(store: str, server: Server) -> None:
    async with NATSBackend(store) as backend:
        await backend.wait(["default"], timeout=0.01)
        await stop(server)

        await asyncio.wait_for(backend.wait(["default"], timeout=0.2), timeout=5.0)

        await start(server)
        await until(lambda: backend.enqueue([make_task()]))
        await asyncio.wait_for(backend.wait(["default"], timeout=5.0), timeout=5.0)


async def test_outcome_is_handed_in_when_the_server_is_back(store: str, server: Server, tmp_path: Path) -> None:
    gate = tmp_path / "gate"

    async def hold() -> str:
        while not gate.exists():
            await asyncio.sleep(0.01)
        return "let go"

    async with TaskQueue(store) as queue, Worker(store, grace=0):
        task = await queue.enqueue(hold)
        await until(lambda: _is_running(queue, task))
        await stop(server)
        gate.touch()
        await asyncio.sleep(0.3)
        await start(server)

        assert await until(lambda: _value(queue, task)) == "let go"
        assert len(await queue.attempts(task)) == 1


async def _is_running(queue: TaskQueue, task: str) -> bool:
    info = await queue.get_task(task)
    return info is not None and info.status is TaskStatus.RUNNING


async def _value(queue: TaskQueue, task: str) -> Any:
    result = await queue.get_result(task, timeout=0.5)
    return None if result is None else queue.deserialize_result(result)


async def test_loss_is_logged_as_warnings(store: str, server: Server, caplog: pytest.LogCaptureFixture) -> None:
    async with NATSBackend(store) as backend:
        await stop(server)
        await start(server)
        await until(lambda: backend.enqueue([make_task()]))

    told = [record for record in caplog.records if record.name == "sitq.backends.nats.link"]
    told = [record for record in told if record.levelno > logging.DEBUG]
    assert [record.levelno for record in told] == [logging.WARNING] * 2
    assert all("nats://127.0.0.1" in record.getMessage() for record in told)


@pytest.mark.slow
@pytest.mark.parametrize("kill", [False, True])
async def test_nothing_is_lost_under_load_while_the_server_is_away_for_ten_seconds(
    store: str, server: Server, kill: bool, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"

    async def note(number: int) -> int:
        with runs.open("a") as file:
            file.write(f"{number}\n")
        await asyncio.sleep(0.01)
        return number

    async with TaskQueue(store) as queue, Worker(store, max_concurrency=10, grace=5):
        tasks = await queue.enqueue_many(note, [(number,) for number in range(4000)])
        await asyncio.sleep(0.7)
        await stop(server, kill=kill)
        await asyncio.sleep(10.0)
        await start(server)

        async def ended() -> bool:
            stats = await queue.stats()
            return stats.count(TaskStatus.SUCCESS) == len(tasks)

        await until(ended, timeout=60.0)
        infos = await queue.list_tasks(TaskQuery(limit=10_000))
    assert {(info.status, info.attempt, info.failures, info.crashes) for info in infos} == {
        (TaskStatus.SUCCESS, 1, 0, 0)
    }
    assert sorted(map(int, runs.read_text().split())) == list(range(4000))


async def test_closing_ends_the_drivers_search_for_the_server_also_when_it_does_not_hear(store: str) -> None:
    async def search() -> None:
        for _ in range(2):
            with contextlib.suppress(asyncio.CancelledError):  # as asyncio.wait_for may, before Python 3.12
                await asyncio.sleep(60)

    backend = NATSBackend(store)
    await backend.connect()
    searching = asyncio.create_task(search())
    await asyncio.sleep(0)
    backend._store.connection.link._client._reconnection_task = searching

    await backend.close()

    assert searching.done()
