"""The executor does what `concurrent.futures` promises, and leaves its tasks in the file."""

import asyncio
import concurrent.futures
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sitq import Executor, SerializationError, SyncTaskQueue, TaskExecutionError, ValidationError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tasks.db"


@pytest.fixture
def executor(path: Path) -> Iterator[Executor]:
    with Executor(path, max_workers=4) as executor:
        yield executor


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Path]:
    """What `hold` waits for; it opens with the end of the test at the latest."""
    gate = tmp_path / "gate"
    yield gate
    gate.touch()


def hold(gate: Path) -> str:
    while not gate.exists():
        time.sleep(0.005)
    return "let go"


def fail() -> None:
    raise ValueError("no luck")


def wait_until(probe: Callable[[], Any], timeout: float = 5.0) -> None:
    deadline = time.monotonic() + timeout
    while not probe():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_submit_gives_a_real_future_of_the_value(executor: Executor) -> None:
    future = executor.submit(pow, 2, exp=10)

    assert isinstance(future, concurrent.futures.Future)
    assert (future.result(5), future.exception(), future.done()) == (1024, None, True)


def test_all_keywords_go_to_the_function(path: Path, executor: Executor) -> None:
    assert executor.submit(dict, eta=1, name="x").result(5) == {"eta": 1, "name": "x"}
    with SyncTaskQueue(path) as queue:
        assert queue.list_tasks()[0].name == "builtins.dict"


def test_coroutine_functions_are_run(executor: Executor) -> None:
    assert executor.submit(asyncio.sleep, 0.01, "rested").result(5) == "rested"


def test_map_gives_values_in_order(executor: Executor) -> None:
    assert list(executor.map(pow, range(5), [2] * 5)) == [0, 1, 4, 9, 16]


def test_map_stops_waiting_in_time(executor: Executor, gate: Path) -> None:
    with pytest.raises(TimeoutError):
        list(executor.map(hold, [gate], timeout=0.1))


def test_map_raises_where_a_call_failed(executor: Executor) -> None:
    values = executor.map(lambda x: 1 // x, [1, 0])

    assert next(values) == 1
    with pytest.raises(TaskExecutionError, match="ZeroDivisionError"):
        next(values)


def test_exception_names_the_original_and_has_its_traceback(executor: Executor) -> None:
    error = executor.submit(fail).exception(5)

    assert isinstance(error, TaskExecutionError)
    assert str(error) == "ValueError: no luck"
    assert any("in fail" in note for note in error.__notes__)


def test_result_waits_no_longer_than_told(executor: Executor, gate: Path) -> None:
    with pytest.raises(TimeoutError):
        executor.submit(hold, gate).result(timeout=0.05)


def test_running_call_cannot_be_cancelled(executor: Executor, gate: Path) -> None:
    future = executor.submit(hold, gate)
    wait_until(future.running)

    assert (future.cancel(), future.cancelled()) == (False, False)
    gate.touch()
    assert future.result(5) == "let go"


def test_waiting_call_is_cancelled_in_the_store_too(path: Path, gate: Path) -> None:
    with Executor(path, max_workers=1) as executor:
        first, second = executor.submit(hold, gate), executor.submit(hold, gate)
        wait_until(first.running)

        assert (second.cancel(), second.cancelled(), second.done()) == (True, True, True)
        gate.touch()
    with SyncTaskQueue(path) as queue:
        assert [info.status for info in queue.list_tasks()] == ["cancelled", "success"]


def test_call_cancelled_by_somebody_else_is_a_cancelled_future(path: Path, executor: Executor, gate: Path) -> None:
    future = executor.submit(hold, gate)
    wait_until(future.running)

    with SyncTaskQueue(path) as queue:
        queue.cancel(future.task_id)

    with pytest.raises(concurrent.futures.CancelledError):
        future.result(5)


def test_callbacks_are_called_once_and_may_submit_more(executor: Executor) -> None:
    values: list[int] = []
    done = threading.Event()

    def more(future: "concurrent.futures.Future[int]") -> None:
        values.append(future.result())
        if len(values) == 3:
            done.set()
        else:
            executor.submit(pow, 2, len(values)).add_done_callback(more)

    executor.submit(pow, 2, 0).add_done_callback(more)

    assert done.wait(5)
    assert values == [1, 2, 4]


def test_wait_and_as_completed_of_the_library_work(executor: Executor, gate: Path) -> None:
    slow, fast = executor.submit(hold, gate), executor.submit(pow, 1, 1)

    first = next(concurrent.futures.as_completed([slow, fast], timeout=5))
    done, pending = concurrent.futures.wait([slow, fast], 5, concurrent.futures.FIRST_COMPLETED)

    assert first is fast
    assert (done, pending) == ({fast}, {slow})


async def test_loop_runs_calls_in_it(path: Path) -> None:
    with Executor(path) as executor:
        loop = asyncio.get_running_loop()

        values = await asyncio.gather(*(loop.run_in_executor(executor, pow, 2, n) for n in range(4)))

    assert values == [1, 2, 4, 8]


def test_shutdown_waits_for_what_was_submitted(path: Path) -> None:
    executor = Executor(path)
    futures = [executor.submit(time.sleep, 0.05) for _ in range(5)]

    executor.shutdown()

    assert all(future.done() for future in futures)


def test_shutdown_may_leave_at_once(path: Path, gate: Path) -> None:
    executor = Executor(path)
    future = executor.submit(hold, gate)

    begun = time.monotonic()
    executor.shutdown(wait=False)

    assert time.monotonic() - begun < 3
    gate.touch()
    assert future.result(5) == "let go"


def test_shutdown_may_cancel_what_waits(path: Path, gate: Path) -> None:
    executor = Executor(path, max_workers=1)
    first, second = executor.submit(hold, gate), executor.submit(hold, gate)
    wait_until(first.running)

    executor.shutdown(wait=False, cancel_futures=True)

    assert (second.cancelled(), first.cancelled()) == (True, False)


def test_shutdown_twice_is_harmless_and_nothing_is_taken_afterwards(path: Path) -> None:
    executor = Executor(path)
    executor.shutdown()
    executor.shutdown()

    with pytest.raises(RuntimeError, match="the executor was shut down"):
        executor.submit(pow, 1, 1)


def test_call_that_cannot_be_sent_is_refused_at_once(executor: Executor) -> None:
    with pytest.raises(SerializationError, match=r"cannot pickle '_thread.lock'"):
        executor.submit(len, threading.Lock())  # type: ignore[arg-type]


def test_options_hold_for_all_calls(path: Path) -> None:
    with Executor(path, retry=2, queue="mail") as executor:
        executor.submit(fail).exception(10)
    with SyncTaskQueue(path) as queue:
        (info,) = queue.list_tasks()
        assert (info.queue, info.attempt) == ("mail", 2)


@pytest.mark.parametrize("argument", [{"initializer": print}, {"max_workers": -1}, {"max_workers": 1.5}])
def test_what_is_not_supported_is_refused(path: Path, argument: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Executor(path, **argument)


def test_workers_elsewhere_may_do_the_work(path: Path) -> None:
    with Executor(path, max_workers=0) as client, Executor(path, max_workers=2):
        assert client.submit(pow, 2, 5).result(5) == 32


LEAVE = """
import sys, time
from sitq import Executor
executor = Executor(sys.argv[1], max_workers=1)
executor.submit(time.sleep, 600)
executor.submit(pow, 2, 5)
print("leaving")
"""


def test_program_that_leaves_is_not_held_up_and_its_calls_are_kept(path: Path) -> None:
    ran = subprocess.run([sys.executable, "-c", LEAVE, path], capture_output=True, text=True, timeout=20)

    assert (ran.stdout, ran.stderr) == ("leaving\n", "")
    with SyncTaskQueue(path) as queue:
        assert {info.status for info in queue.list_tasks()} <= {"pending", "running"}
