"""Handles of a notebook's tasks: to be awaited, asked and shown, from anywhere but inside a task that blocks."""

import asyncio
import pickle
import time
from pathlib import Path

import pytest

from sitq import SyncTaskQueue, TaskCancelledError, TaskExecutionError, TaskQueueError
from sitq.exceptions import TimeoutError, WorkerError
from sitq.notebook import BackgroundWorker, start_worker


def raise_value_error() -> None:
    raise ValueError("no <luck>")


def nap(seconds: float) -> str:
    time.sleep(seconds)
    return "rested"


def test_handle_is_the_id_and_travels_as_such(worker: BackgroundWorker) -> None:
    handle = worker.submit(sum, [1, 2])

    assert handle == str(handle) == pickle.loads(pickle.dumps(handle))
    assert type(pickle.loads(pickle.dumps(handle))) is str


@pytest.mark.parametrize("value", [None, 0, [1, 2]])
def test_result_gives_the_value(worker: BackgroundWorker, value: object) -> None:
    assert worker.submit(lambda: value).result(timeout=5) == value


async def test_handle_awaits_to_the_value_again_and_again(worker: BackgroundWorker) -> None:
    handle = worker.submit(sum, [1, 2])

    assert [await handle, await handle] == [3, 3]


async def test_awaiting_keeps_the_loop_awake_and_alive(worker: BackgroundWorker) -> None:
    handle, turns = worker.submit(nap, 0.3), 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.01)
            turns += 1

    counting = asyncio.create_task(count())
    await handle
    counting.cancel()

    assert turns > 10


async def test_cancelled_await_leaves_the_task_running(worker: BackgroundWorker) -> None:
    handle = worker.submit(nap, 0.5)

    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(handle, 0.1)

    assert handle.status in ("pending", "running")
    assert await handle == "rested"


def test_failed_task_raises_with_its_traceback(worker: BackgroundWorker) -> None:
    with pytest.raises(TaskExecutionError, match="ValueError: no <luck>") as caught:
        worker.submit(raise_value_error).result(timeout=5)

    assert "in raise_value_error" in "".join(caught.value.__notes__)


def test_result_in_vain_says_that_the_task_goes_on(worker: BackgroundWorker) -> None:
    handle = worker.submit(nap, 0.3)

    with pytest.raises(TimeoutError, match="goes on"):
        handle.result(timeout=0.05)

    assert handle.result(timeout=5) == "rested"


def test_cancelled_task_raises_and_can_be_requeued(worker: BackgroundWorker) -> None:
    handle = worker.submit(nap, 30.0)

    assert handle.cancel()
    with pytest.raises(TaskCancelledError):
        handle.result(timeout=5)

    assert not handle.cancel()
    assert handle.requeue()
    assert handle.status in ("pending", "running")


def test_deleted_task_is_unknown(worker: BackgroundWorker, path: Path) -> None:
    handle = worker.submit(sum, [1, 2])
    handle.result(timeout=5)
    with SyncTaskQueue(path) as queue:
        queue.delete(handle)

    assert (handle.status, handle.info()) == (None, None)
    with pytest.raises(TaskQueueError, match="no task"):
        handle.result(timeout=5)


def block_on_another_task(path: Path) -> str:
    worker = start_worker(path)
    try:
        worker.submit(sum, [1, 2]).result()
    except RuntimeError as exc:
        return str(exc)
    return "blocked"


async def block_on_another_task_on_the_loop(path: Path) -> str:
    return block_on_another_task(path)


@pytest.mark.parametrize("function", [block_on_another_task, block_on_another_task_on_the_loop])
def test_blocking_result_inside_a_task_is_refused(worker: BackgroundWorker, path: Path, function: object) -> None:
    assert "would deadlock" in worker.submit(function, path).result(timeout=5)  # type: ignore[arg-type]  # both are callable


async def await_another_task(path: Path) -> int:
    return await start_worker(path).submit(sum, [1, 2])


def test_task_may_await_another_task(worker: BackgroundWorker, path: Path) -> None:
    assert worker.submit(await_another_task, path).result(timeout=5) == 3


def test_stopped_worker_still_tells_what_has_ended(worker: BackgroundWorker) -> None:
    ended = worker.submit(sum, [1, 2])
    ended.result(timeout=5)
    worker.stop()

    assert (ended.result(), ended.status) == (3, "success")


def test_waiting_for_what_a_stopped_worker_left_is_refused(worker: BackgroundWorker, path: Path) -> None:
    left = worker.submit(nap, 0.3)
    worker.stop(grace=0)

    with pytest.raises(WorkerError, match="start_worker"):
        left.result()

    start_worker(path)
    assert left.result(timeout=5) == "rested"


async def test_stop_lets_those_go_who_wait(worker: BackgroundWorker) -> None:
    waits = [asyncio.ensure_future(worker.submit(nap, 30.0)), asyncio.ensure_future(worker.drain())]
    await asyncio.sleep(0.1)

    await asyncio.to_thread(worker.stop, 0)

    ends = await asyncio.wait_for(asyncio.gather(*waits, return_exceptions=True), 5)
    assert [type(end) for end in ends] == [WorkerError, WorkerError]


def test_repr_shows_the_task_as_it_is_now(worker: BackgroundWorker) -> None:
    handle = worker.submit(raise_value_error, name="<b>bold</b>")
    with pytest.raises(TaskExecutionError):
        handle.result(timeout=5)

    assert repr(handle).startswith(f"<task {handle!s} <b>bold</b>: failed")
    html = handle._repr_html_()
    assert "&lt;b&gt;bold" in html
    assert "no &lt;luck&gt;" in html


def test_repr_shows_what_was_last_seen_when_the_worker_is_stopped(worker: BackgroundWorker) -> None:
    handle = worker.submit(sum, [1, 2])
    handle.result(timeout=5)
    shown = repr(handle)
    worker.stop()

    assert repr(handle) == shown
    assert "success" in handle._repr_html_()
