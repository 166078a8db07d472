"""rerun and replay from blocking code: a replay runs in the caller's own thread."""

import asyncio
import sys
import threading
import types
from pathlib import Path

import pytest
from workers import drain

from sitq import SyncTaskQueue, TaskQuery, current_task
from sitq.exceptions import SyncTaskQueueError


def fail(number: int) -> int:
    raise ValueError(f"no {number}")


def here() -> tuple[int, str]:
    running = current_task()
    assert running is not None
    return threading.get_ident(), running.id


async def here_async() -> tuple[int, str]:
    await asyncio.sleep(0)
    return here()


def test_rerun_gives_plain_ids(queue: SyncTaskQueue, path: Path) -> None:
    queue.map(fail, range(3))
    drain(path)

    new = queue.rerun(TaskQuery(), lambda number: number * 10)
    drain(path)

    assert {type(one) for one in new} == {str}
    assert [queue.get_result(one) for one in new] == [0, 10, 20]


@pytest.mark.parametrize("function", [here, here_async])
def test_replay_runs_in_the_calling_thread(function: types.FunctionType, queue: SyncTaskQueue) -> None:
    task = queue.enqueue(function)

    assert queue.replay(task) == (threading.get_ident(), task)
    assert current_task() is None


def test_replay_raises_the_exception_itself(queue: SyncTaskQueue) -> None:
    with pytest.raises(ValueError, match=r"^no 7$"):
        queue.replay(queue.enqueue(fail, 7))


def test_replay_takes_a_corrected_function(queue: SyncTaskQueue) -> None:
    assert queue.replay(queue.enqueue(fail, 7), abs) == 7


async def in_a_cell(queue: SyncTaskQueue, task: str) -> object:
    return queue.replay(task)


@pytest.fixture
def _notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this process look like a kernel, whose cells run inside a loop."""
    shell = types.SimpleNamespace(kernel=object())
    getipython = types.SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython.core.getipython", getipython)


@pytest.mark.usefixtures("_notebook")
def test_replay_in_a_cell_runs_functions_but_refuses_what_must_be_awaited(queue: SyncTaskQueue) -> None:
    assert asyncio.run(in_a_cell(queue, queue.enqueue(abs, -7))) == 7

    with pytest.raises(SyncTaskQueueError, match="here_async must be awaited, and a loop runs here"):
        asyncio.run(in_a_cell(queue, queue.enqueue(here_async)))
