"""How a worker starts: once at a time, on a store that it opens and closes only if nobody else did."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from running import begin, echo, hold, hold_thread, until_begun

from sitq.backends.sqlite import MemoryBackend, SQLiteBackend
from sitq.core import TaskStatus
from sitq.exceptions import ConfigurationError, ConnectionError, ValidationError, WorkerError
from sitq.queue import TaskQueue
from sitq.serialization import SignedSerializer
from sitq.worker import UnsignedPayloadWarning, Worker


async def test_second_start_is_refused(worker: Worker, queue: TaskQueue) -> None:
    await (await queue.enqueue(echo, 1))

    with pytest.raises(WorkerError, match="is running already"):
        await worker.start()


async def test_refused_start_leaves_the_worker_running(worker: Worker, queue: TaskQueue) -> None:
    await (await queue.enqueue(echo, 1))
    with pytest.raises(WorkerError):
        await worker.run_until_empty()

    await asyncio.sleep(0.1)

    assert await (await queue.enqueue(echo, 2)).result(timeout=2.0) == 2


async def test_stopped_worker_can_start_again(path: Path, queue: TaskQueue) -> None:
    worker = Worker(path)
    for number in range(3):
        task = await queue.enqueue(echo, number)
        async with worker:
            assert await task == number


async def test_worker_can_run_until_empty_again(path: Path, queue: TaskQueue) -> None:
    worker = Worker(path)
    for number in range(3):
        task = await queue.enqueue(echo, number)
        await worker.run_until_empty(timeout=5)
        assert await task.status() is TaskStatus.SUCCESS


async def test_worker_makes_the_store_if_there_is_none(path: Path) -> None:
    await Worker(path).run_until_empty(timeout=5)

    assert path.exists()


async def test_store_that_the_worker_opened_is_closed_by_it(path: Path) -> None:
    worker = Worker(path)
    await worker.run_until_empty(timeout=5)

    assert not worker.backend.connected


async def test_store_that_was_open_before_stays_open(path: Path) -> None:
    async with SQLiteBackend(path) as backend:
        await Worker(backend).run_until_empty(timeout=5)

        assert backend.connected


async def test_store_that_was_open_before_stays_open_when_start_is_cancelled(path: Path) -> None:
    async with SQLiteBackend(path) as backend:
        serving = asyncio.create_task(Worker(backend).start())
        await asyncio.sleep(0.05)
        serving.cancel()
        await asyncio.wait([serving])

        assert backend.connected


async def test_queue_and_worker_share_one_backend(path: Path) -> None:
    async with SQLiteBackend(path) as backend, TaskQueue(backend) as queue, Worker(backend):
        assert await (await queue.enqueue(echo, 1)) == 1


async def test_queue_and_worker_share_one_store_in_memory() -> None:
    async with SQLiteBackend(":memory:") as backend, TaskQueue(backend) as queue, Worker(backend):
        assert await (await queue.enqueue(echo, 1)) == 1


@pytest.mark.parametrize("function", [hold, hold_thread])
async def test_cancelled_start_gives_running_tasks_back(
    function: Callable[..., Any], path: Path, queue: TaskQueue, gate: Path
) -> None:
    serving = asyncio.create_task(Worker(path).start())
    task = await queue.enqueue(function, gate)
    await until_begun(task)

    serving.cancel()
    await asyncio.wait([serving])
    gate.touch()

    assert serving.cancelled()
    assert await task.status() is TaskStatus.PENDING


async def test_cancelled_start_gives_claimed_tasks_back(path: Path, queue: TaskQueue, gate: Path) -> None:
    await queue.map(echo, range(100))
    held = await queue.enqueue(hold, gate)
    rest = await queue.map(echo, range(100))
    serving = asyncio.create_task(Worker(path, max_concurrency=1).start())
    await until_begun(held)

    serving.cancel()
    await asyncio.wait([serving])

    assert {await task.status() for task in (held, *rest)} == {TaskStatus.PENDING}


signals: list[asyncio.Event] = []


async def wait_for_signal() -> None:
    begin()
    await signals[-1].wait()


@pytest.mark.parametrize("turns", range(10))
async def test_start_ends_at_whatever_turn_of_the_loop_it_is_cancelled(
    turns: int, path: Path, queue: TaskQueue
) -> None:
    signals.append(asyncio.Event())
    serving = asyncio.create_task(Worker(path, max_concurrency=1).start())
    await until_begun(await queue.enqueue(wait_for_signal))

    signals[-1].set()
    for _ in range(turns):
        await asyncio.sleep(0)
    serving.cancel()
    await asyncio.wait([serving], timeout=2.0)

    assert serving.cancelled()


@pytest.mark.parametrize("turns", range(2, 10))
async def test_task_that_had_ended_when_start_was_cancelled_does_not_run_again(
    turns: int, path: Path, queue: TaskQueue
) -> None:
    signals.append(asyncio.Event())
    serving = asyncio.create_task(Worker(path, max_concurrency=1).start())
    task = await queue.enqueue(wait_for_signal)
    await until_begun(task)

    signals[-1].set()
    for _ in range(turns):
        await asyncio.sleep(0)
    serving.cancel()
    await asyncio.wait([serving], timeout=2.0)

    assert await task.status() is TaskStatus.SUCCESS


async def test_values_survive_a_cancelled_start(path: Path, queue: TaskQueue) -> None:
    tasks = await queue.map(echo, range(2000))
    serving = asyncio.create_task(Worker(path, max_concurrency=4).start())
    await tasks[700]
    serving.cancel()
    await asyncio.wait([serving])

    await Worker(path).run_until_empty(timeout=20)

    assert {attempt.attempt for task in tasks[::50] for attempt in await queue.attempts(task)} <= {1, 2}
    assert [await task for task in tasks] == list(range(2000))


async def test_context_manager_serves_in_the_background(path: Path, queue: TaskQueue) -> None:
    task = await queue.enqueue(echo, 1)

    async with Worker(path):
        assert await task == 1


async def test_context_manager_that_ends_at_once_ends(path: Path) -> None:
    async with asyncio.timeout(2.0), Worker(path):
        pass


async def test_context_manager_leaves_the_callers_exception_alone(path: Path) -> None:
    with pytest.raises(LookupError, match="mine"):
        async with Worker(path):
            await asyncio.sleep(0.05)
            raise LookupError("mine")


async def test_context_manager_tells_that_the_store_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(ConnectionError, match="no/such"):
        async with Worker(tmp_path / "no/such/folder/tasks.db"):
            await asyncio.sleep(0.1)


async def test_start_tells_that_the_store_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(ConnectionError, match="no/such"):
        await Worker(tmp_path / "no/such/folder/tasks.db").start()


async def test_worker_can_start_after_its_store_could_not_be_opened(tmp_path: Path) -> None:
    worker = Worker(tmp_path / "later/tasks.db")
    with pytest.raises(ConnectionError):
        await worker.start()
    (tmp_path / "later").mkdir()

    await worker.run_until_empty(timeout=5)

    assert (tmp_path / "later/tasks.db").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_concurrency": 0}, "max_concurrency must be an integer of 1 or more, got 0"),
        ({"max_concurrency": True}, "max_concurrency must be an integer of 1 or more, got True"),
        ({"max_concurrency": 2.0}, "max_concurrency must be an integer of 1 or more, got 2.0"),
        ({"poll_interval": 0}, "poll_interval must be more than 0 seconds, got 0"),
        ({"lease": -1}, "lease must be more than 0 seconds, got -1"),
        ({"lease": float("inf")}, "lease must be more than 0 seconds, got inf"),
        ({"grace": -1}, "grace must be 0 seconds or more, got -1"),
        ({"queues": "mail"}, "queues must be a list of names"),
        ({"queues": []}, "queues must be a list of names"),
        ({"queues": [""]}, "queue must be a text that is not empty"),
        ({"serializer": object()}, "serializer must be an object with dumps and loads"),
    ],
    ids=str,
)
def test_option_that_cannot_be_right_is_refused(options: dict[str, Any], message: str, path: Path) -> None:
    with pytest.raises(ValidationError, match=message):
        Worker(path, **options)


def test_unknown_store_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"got mysql://$"):
        Worker("mysql://here")


async def test_worker_says_how_much_it_runs(path: Path, queue: TaskQueue, gate: Path) -> None:
    async with Worker(path, max_concurrency=3, grace=0) as worker:
        await until_begun(await queue.enqueue(hold, gate))

        assert "1 of 3 running" in repr(worker)
    assert "stopped" in repr(worker)


class FarBackend(MemoryBackend):
    """A store that says to be reached through a network."""

    @property
    def remote(self) -> bool:
        return True


async def test_worker_warns_of_a_server_whose_payloads_are_not_signed() -> None:
    with pytest.warns(UnsignedPayloadWarning, match=r"are not signed.*give queue and worker a SignedSerializer"):
        await Worker(FarBackend()).run_until_empty()


async def test_worker_does_not_warn_of_signed_payloads_or_of_a_store_here() -> None:
    await Worker(FarBackend(), SignedSerializer(None, "k" * 32)).run_until_empty()
    await Worker(MemoryBackend()).run_until_empty()
