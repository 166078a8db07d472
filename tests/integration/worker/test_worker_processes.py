"""Tasks in child processes: used again, killed for real, and what is said when one dies."""

import asyncio
import ctypes
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from running import until, until_claimed

from sitq import (
    JsonSerializer,
    Retry,
    RetryAfter,
    SignedSerializer,
    Snooze,
    TaskQueue,
    TaskStatus,
    ValidationError,
    Worker,
    check_cancelled,
    current_task,
    progress,
)
from sitq.core import Progress, Result

IN_PROCESS = {"executor": "process"}


@pytest.fixture
async def worker(path: Path, queue: TaskQueue) -> AsyncIterator[Worker]:
    """A worker that runs in processes what does not say."""
    async with Worker(path, executor="process", max_concurrency=4, grace=0) as worker:
        yield worker


async def ended(queue: TaskQueue, function: Callable[..., Any], *args: Any, **options: Any) -> Result:
    result = await queue.get_result(await queue.options(**options).enqueue(function, *args))
    assert result is not None
    return result


def is_gone(pid: int) -> bool:
    """Tell whether a process has ended; one that nobody has waited for counts as ended."""
    try:
        return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def spin() -> None:
    while True:
        pass


def sleep_in_c() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    ctypes.CDLL(None).sleep(60)


def swallow() -> None:
    while True:
        try:
            time.sleep(60)
        except BaseException:
            continue


UNWILLING = [spin, sleep_in_c, swallow]


async def test_call_runs_in_another_process(queue: TaskQueue, worker: Worker) -> None:
    assert await (await queue.enqueue(os.getpid)) != os.getpid()


async def test_child_is_used_again(queue: TaskQueue, worker: Worker) -> None:
    pids = {await (await queue.enqueue(os.getpid)) for _ in range(5)}

    assert len(pids) == 1


async def test_children_are_as_many_as_calls_at_once(queue: TaskQueue, worker: Worker) -> None:
    def stay() -> int:
        time.sleep(0.3)
        return os.getpid()

    handles = await queue.map(lambda _: stay(), range(4))

    assert len({await handle for handle in handles}) == 4


async def test_option_of_a_task_wins(queue: TaskQueue, worker: Worker) -> None:
    handle = await queue.options(executor="thread").enqueue(os.getpid)

    assert await handle == os.getpid()


async def pid_async() -> int:
    await asyncio.sleep(0.001)
    return os.getpid()


@pytest.mark.parametrize(("options", "is_here"), [({}, True), (IN_PROCESS, False)])
async def test_coroutine_function_goes_to_a_process_only_if_told(
    queue: TaskQueue, worker: Worker, options: dict[str, str], is_here: bool
) -> None:
    handle = await queue.options(**options).enqueue(pid_async)

    assert (await handle == os.getpid()) is is_here


async def test_lambda_around_a_coroutine_function_is_awaited(queue: TaskQueue, worker: Worker) -> None:
    assert await (await queue.enqueue(lambda: pid_async())) != os.getpid()


@pytest.mark.parametrize("function", UNWILLING)
async def test_timeout_ends_whatever_the_call_does(
    queue: TaskQueue, worker: Worker, function: Callable[[], None]
) -> None:
    begun = time.monotonic()

    result = await ended(queue, function, timeout=0.3)

    assert result.error == "TaskTimeoutError: it ran longer than its timeout of 0.3 s"
    assert time.monotonic() - begun < 2.5  # half a second of patience, and the start of a child


@pytest.mark.parametrize("function", UNWILLING)
async def test_cancel_ends_whatever_the_call_does_within_a_second(
    queue: TaskQueue, worker: Worker, function: Callable[[], None], tmp_path: Path
) -> None:
    pid_file = tmp_path / "pid"

    def run() -> None:
        pid_file.write_text(str(os.getpid()))
        function()

    handle = await queue.enqueue(run)
    pid = int(await until(lambda: asyncio.to_thread(lambda: pid_file.exists() and pid_file.read_text())))
    begun = time.monotonic()
    await handle.cancel()
    result = await queue.get_result(handle)

    assert result is not None and result.status == "cancelled"
    assert time.monotonic() - begun < 1.5
    assert is_gone(pid)


async def test_what_a_call_has_started_dies_with_it(queue: TaskQueue, worker: Worker, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"

    def start() -> None:
        child = subprocess.Popen(["sleep", "60"])
        pid_file.write_text(str(child.pid))
        child.wait()

    result = await ended(queue, start, timeout=0.5)

    assert result.status is TaskStatus.FAILED
    assert is_gone(int(pid_file.read_text()))


async def test_call_that_must_end_may_clean_up(queue: TaskQueue, worker: Worker, tmp_path: Path) -> None:
    cleaned = tmp_path / "cleaned"

    def work() -> None:
        try:
            time.sleep(60)
        finally:
            task = current_task()
            cleaned.write_text(str(task and task.stop_requested))

    await ended(queue, work, timeout=0.5)

    assert cleaned.read_text() == "True"


def die_of_nine() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fall() -> None:
    ctypes.string_at(0)


def leave() -> None:
    os._exit(3)


DEATHS = [
    (die_of_nine, "TaskLostError: its process was killed by signal 9 (SIGKILL), probably out of memory"),
    (fall, "TaskLostError: its process was killed by signal 11 (SIGSEGV)"),
    (leave, "TaskLostError: its process ended with exit code 3"),
]


@pytest.mark.parametrize(("function", "error"), DEATHS)
async def test_death_of_a_child_is_an_outcome_that_says_how(
    queue: TaskQueue, worker: Worker, function: Callable[[], None], error: str
) -> None:
    result = await ended(queue, function)

    assert (result.status, result.error) == (TaskStatus.FAILED, error)
    assert await (await queue.enqueue(len, "next")) == 4


async def test_fall_of_a_child_leaves_the_place_where_it_fell(queue: TaskQueue, worker: Worker) -> None:
    result = await ended(queue, fall)

    assert result.traceback is not None
    assert result.traceback.startswith("Fatal Python error: Segmentation fault")
    assert "in fall" in result.traceback


async def test_memory_limit_is_a_failure_like_others(queue: TaskQueue, worker: Worker) -> None:
    def fill() -> None:
        limit = 2**30
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        bytearray(2 * limit)

    result = await ended(queue, fill)

    assert result.error is not None and result.error.startswith("MemoryError")


async def test_policy_pays_for_deaths_and_timeouts(queue: TaskQueue, worker: Worker) -> None:
    policy = Retry(max_attempts=3, delay=0.01)

    died = await ended(queue, leave, retry=policy)
    late = await ended(queue, spin, retry=policy, timeout=0.1)

    assert (died.attempt, late.attempt) == (3, 3)


async def test_failure_keeps_traceback_and_policy(queue: TaskQueue, worker: Worker) -> None:
    def fail() -> None:
        raise ValueError("no luck")

    result = await ended(queue, fail, retry=Retry(max_attempts=2, delay=0))

    assert (result.error, result.attempt) == ("ValueError: no luck", 2)
    assert result.traceback is not None
    assert "in fail" in result.traceback and "_child.py" not in result.traceback


@pytest.mark.parametrize("wish", [RetryAfter(0.01), Snooze(0.01)])
async def test_wishes_of_a_task_are_heard(queue: TaskQueue, worker: Worker, wish: Exception) -> None:
    def once() -> str:
        task = current_task()
        assert task is not None
        if task.attempt == 1:
            raise wish
        return "done"

    assert await (await queue.enqueue(once)) == "done"


async def test_output_comes_from_the_file_descriptors(queue: TaskQueue, worker: Worker) -> None:
    def speak() -> None:
        print("print")
        os.write(1, b"raw\n")
        os.system("echo shell")
        print("error", file=sys.stderr)

    handle = await queue.enqueue(speak)
    await handle

    texts = {chunk.stream: chunk.text for chunk in await handle.output()}
    assert texts == {"stdout": "print\nraw\nshell\n", "stderr": "error\n"}


async def test_output_can_be_read_while_the_call_runs(queue: TaskQueue, worker: Worker, gate: Path) -> None:
    def speak() -> None:
        print("no newline yet", end="")
        sys.stdout.flush()
        progress(1, 2)
        while not gate.exists():
            time.sleep(0.01)

    handle = await queue.enqueue(speak)
    chunks = await until(handle.output)
    told = await until(handle.progress)
    gate.touch()
    await handle

    assert ([chunk.text for chunk in chunks], told) == (["no newline yet"], Progress(1.0, 2.0))


async def test_calls_of_one_child_keep_their_own_output(queue: TaskQueue, worker: Worker) -> None:
    handles = [await queue.enqueue(print, number, "x" * 100_000) for number in range(5)]
    for handle in handles:
        await handle

    for number, handle in enumerate(handles):
        text = "".join(chunk.text for chunk in await handle.output())
        assert text == f"{number} {'x' * 100_000}\n"


async def test_last_progress_of_a_busy_call_is_told(queue: TaskQueue, worker: Worker) -> None:
    def count() -> None:
        for number in range(100_000):
            progress(number + 1, 100_000)

    handle = await queue.enqueue(count)
    await handle

    assert await handle.progress() == Progress(100_000.0, 100_000.0)


async def test_child_is_replaced_after_its_share(path: Path, queue: TaskQueue) -> None:
    async with Worker(path, executor="process", max_tasks_per_child=2, max_concurrency=1):
        pids = [await (await queue.enqueue(os.getpid)) for _ in range(5)]

    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [2, 2, 1]


async def test_child_has_path_folder_and_environment_of_its_worker(
    queue: TaskQueue, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SITQ_TEST", "given")
    monkeypatch.syspath_prepend("/nowhere")

    def place() -> tuple[str, str, str]:
        return sys.path[0], os.getcwd(), os.environ["SITQ_TEST"]

    assert await (await queue.enqueue(place)) == ("/nowhere", os.getcwd(), "given")


@pytest.mark.filterwarnings("ignore::sitq.serialization.LargePayloadWarning")
async def test_large_values_travel(queue: TaskQueue, worker: Worker) -> None:
    handle = await queue.enqueue(lambda data: data * 4, b"x" * 5_000_000)

    assert len(await handle) == 20_000_000  # the child warns in its own output


async def test_value_that_cannot_be_pickled_is_a_failure(queue: TaskQueue, worker: Worker) -> None:
    result = await ended(queue, threading.Lock)

    assert result.error is not None and "cannot pickle '_thread.lock' object" in result.error


@pytest.mark.parametrize("serializer", [JsonSerializer(), SignedSerializer(None, b"0123456789abcdef")])
async def test_other_serializers_serve_in_children(path: Path, serializer: Any) -> None:
    async with TaskQueue(path, serializer) as queue, Worker(path, serializer, executor="process"):
        assert await (await queue.enqueue(sum, [1, 2])) == 3


async def test_task_knows_itself_in_a_child(queue: TaskQueue, worker: Worker) -> None:
    def facts() -> Any:
        task = current_task()
        assert task is not None
        check_cancelled()
        return task.id, task.attempt, task.seconds_left is not None

    handle = await queue.options(timeout=30).enqueue(facts)

    assert await handle == (handle, 1, True)


async def test_stopped_worker_gives_calls_back_and_leaves_no_process(path: Path, queue: TaskQueue) -> None:
    def run() -> None:
        print(os.getpid(), flush=True)
        time.sleep(60)

    async with Worker(path, executor="process", grace=0.1):
        handle = await queue.enqueue(run)
        await until_claimed(queue, handle)
        (chunk,) = await until(handle.output)

    assert await handle.status() == "pending"
    assert is_gone(int(chunk.text))


async def test_children_that_came_and_went_leave_no_file_open(queue: TaskQueue, worker: Worker) -> None:
    await (await queue.enqueue(len, "warm"))
    before = len(os.listdir("/proc/self/fd"))

    for function in (die_of_nine, leave, fall) * 2:
        await ended(queue, function)
    await ended(queue, spin, timeout=0.1)
    await (await queue.enqueue(len, "warm again"))

    assert len(os.listdir("/proc/self/fd")) == before


async def test_child_that_cannot_start_is_a_failure(
    queue: TaskQueue, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")

    result = await ended(queue, os.getpid)

    assert result.error is not None and result.error.startswith("FileNotFoundError")


async def test_child_that_waits_in_vain_is_told_apart_from_one_that_works(queue: TaskQueue, worker: Worker) -> None:
    pid = await (await queue.enqueue(os.getpid))
    os.kill(pid, signal.SIGKILL)
    await until(lambda: asyncio.to_thread(is_gone, pid))

    assert await (await queue.enqueue(os.getpid)) != pid


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"executor": "fork"}, 'executor must be "thread" or "process", got \'fork\''),
        ({"max_tasks_per_child": 0}, "max_tasks_per_child must be an integer of 1 or more, got 0"),
    ],
)
def test_impossible_settings_are_refused(path: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Worker(path, **arguments)

    assert str(caught.value) == message


MAIN = """
import asyncio
from sitq import TaskQueue, Worker

class Point:
    def __init__(self, x):
        self.x = x

def double(point):
    return Point(2 * point.x)

async def main():
    async with TaskQueue(":memory:") as queue, Worker(queue.backend, executor="process"):
        value = await (await queue.enqueue(double, Point(21)))
        print(value.x, isinstance(value, Point))

asyncio.run(main())
"""


def test_functions_and_classes_of_a_script_travel(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(MAIN)

    ran = subprocess.run([sys.executable, "-W", "error", script], capture_output=True, text=True, timeout=30)

    assert (ran.stdout, ran.stderr) == ("42 True\n", "")
