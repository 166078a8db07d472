"""Where the blocking queue can be used, and how it ends."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from processes import Programs
from workers import drain, serving

from sitq.backends.sqlite import SQLiteBackend
from sitq.exceptions import ConnectionError, SyncTaskQueueError
from sitq.sync import SyncTaskQueue


def own_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "sitq-client"]


def test_making_a_queue_starts_no_thread(path: Path) -> None:
    SyncTaskQueue(path)

    assert own_threads() == []
    assert not path.exists()


def test_first_use_opens_the_store(path: Path) -> None:
    queue = SyncTaskQueue(path)

    queue.enqueue(abs, 1)

    assert path.exists()
    queue.close()


def test_closing_ends_the_thread(path: Path) -> None:
    with SyncTaskQueue(path) as queue:
        queue.enqueue(abs, 1)
        assert len(own_threads()) == 1

    assert own_threads() == []


def test_closing_twice_is_harmless(path: Path) -> None:
    queue = SyncTaskQueue(path)
    queue.connect()

    queue.close()
    queue.close()


def test_closing_an_unused_queue_is_harmless(path: Path) -> None:
    SyncTaskQueue(path).close()


def test_closed_queue_opens_again_on_use(path: Path) -> None:
    queue = SyncTaskQueue(path)
    task = queue.enqueue(abs, 1)
    queue.close()

    assert queue.get_task(task) is not None
    queue.close()


def test_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    queue = SyncTaskQueue(tmp_path / "no/such/tasks.db")

    with pytest.raises(ConnectionError, match="no/such"):
        queue.enqueue(abs, 1)
    queue.close()


async def test_use_inside_a_coroutine_is_refused(path: Path) -> None:
    with pytest.raises(SyncTaskQueueError, match="use TaskQueue and await it, or call from a thread"):
        SyncTaskQueue(path).enqueue(abs, 1)


async def test_refusal_is_a_runtime_error_too(path: Path) -> None:
    with pytest.raises(RuntimeError), SyncTaskQueue(path):
        pass


async def test_refusal_starts_no_thread(path: Path) -> None:
    with pytest.raises(SyncTaskQueueError):
        SyncTaskQueue(path).stats()

    assert own_threads() == []


async def test_use_from_a_thread_beside_a_running_loop_works(path: Path) -> None:
    with_loop = SyncTaskQueue(path)
    task = await asyncio.to_thread(with_loop.enqueue, abs, 1)
    await asyncio.to_thread(with_loop.close)

    assert task


def test_threads_share_one_queue(queue: SyncTaskQueue, worker: None) -> None:
    def ask(number: int) -> Any:
        return queue.get_result(queue.enqueue(abs, -number))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(40))) == list(range(40))


def use_at_once(queue: SyncTaskQueue, count: int) -> list[str]:
    """Use it from many threads at the same moment, and tell what they found; who hangs tells nothing."""
    together, found = threading.Barrier(count), list[str]()

    def use() -> None:
        together.wait()
        try:
            queue.stats()
            found.append("stats")
        except Exception as exc:
            found.append(repr(exc))

    threads = [threading.Thread(target=use, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=5.0)
    return found


def test_threads_that_use_it_first_at_once_share_one_loop(path: Path) -> None:
    for _ in range(20):
        queue = SyncTaskQueue(path)
        assert use_at_once(queue, 8) == ["stats"] * 8
        assert len(own_threads()) == 1
        queue.close()


def test_closing_lets_waiting_threads_go(path: Path) -> None:
    queue = SyncTaskQueue(path)
    task = queue.enqueue(abs, 1)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(queue.get_result, task)
        threading.Event().wait(0.1)

        queue.close()

        assert waiting.result(timeout=3.0) is None


def test_store_in_memory_works_beside_a_worker() -> None:
    with SyncTaskQueue(":memory:") as queue, serving(SQLiteBackend(":memory:")):
        assert queue.get_result(queue.enqueue(abs, -1), timeout=5.0) == 1


def test_two_queues_work_side_by_side(path: Path) -> None:
    with SyncTaskQueue(path) as first, SyncTaskQueue(path) as second:
        task = first.enqueue(abs, -1)
        drain(path)

        assert second.get_result(task, timeout=2.0) == 1


def enqueue_more(path: Path, number: int) -> str:
    with SyncTaskQueue(path) as queue:
        return queue.enqueue(abs, -number)


def test_task_on_a_thread_can_use_one(path: Path, queue: SyncTaskQueue, worker: None) -> None:
    inner = queue.get_result(queue.enqueue(enqueue_more, path, 5))

    assert queue.get_result(inner) == 5


def test_unclosed_queue_holds_up_no_exit(path: Path, programs: Programs) -> None:
    program = programs.run("../sync/programs/leave_unclosed.py", path, timeout=10.0)

    assert (program.process.returncode, program.out.strip(), program.err) == (0, "leaving", "")


def test_forked_child_can_use_the_parents_queue(path: Path, programs: Programs) -> None:
    program = programs.run("../sync/programs/fork_and_use.py", path, timeout=15.0)

    assert (program.process.returncode, program.err) == (0, "")
    assert program.out.splitlines() == ["child stored 1", "child ended with 0", "parent sees 2"]
