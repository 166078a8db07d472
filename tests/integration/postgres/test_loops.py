"""One backend and many event loops, threads and processes."""

import asyncio
import os
import sys
import threading

import pytest

from sitq import SyncTaskQueue, TaskQueue, Worker
from sitq.backends.postgres import PostgresBackend
from sitq.exceptions import BackendError


def test_backend_opens_again_on_the_next_loop(url: str) -> None:
    backend = PostgresBackend(url)

    async def enqueue_one() -> int:
        await backend.connect()
        queue = TaskQueue(backend)
        await queue.enqueue(abs, -1)
        return (await queue.stats()).queues[0].pending

    async def use_and_close() -> int:
        pending = await enqueue_one()
        await backend.close()
        return pending

    assert [asyncio.run(use_and_close()) for _ in range(3)] == [1, 2, 3]


async def test_second_loop_is_refused(queue: TaskQueue) -> None:
    def use_elsewhere() -> None:
        with pytest.raises(BackendError, match="is open on another event loop"):
            asyncio.run(queue.backend.stats())
        refused.set()

    refused = threading.Event()
    thread = threading.Thread(target=use_elsewhere)
    thread.start()
    await asyncio.to_thread(thread.join)

    assert refused.is_set()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
async def test_forked_child_is_refused(queue: TaskQueue) -> None:
    child = os.fork()
    if not child:
        try:
            queue.backend._store.check_use()  # type: ignore[attr-defined]
        except BackendError as exc:
            os._exit(7 if "cannot be used in its forked child" in str(exc) else 1)
        os._exit(0)

    _, status = await asyncio.to_thread(os.waitpid, child, 0)

    assert os.waitstatus_to_exitcode(status) == 7


def test_blocking_queue_and_a_worker_in_another_thread_work_together(url: str) -> None:
    with SyncTaskQueue(url) as queue:
        tasks = queue.map(abs, range(-20, 0))
        worker = threading.Thread(target=lambda: asyncio.run(Worker(url).run_until_empty()))
        worker.start()
        values = [queue.get_result(task, timeout=10) for task in tasks]
        worker.join()

    assert values == list(range(20, 0, -1))
