"""What user code and the machine may do to a worker's child processes, without harm to the worker or to other tasks."""

import asyncio
import contextvars
import ctypes
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from running import until, until_claimed

from sitq import Retry, TaskQueue, TaskStatus, Worker
from sitq.core import Cause, Result

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no children of this kind")

BY_OS = "TaskLostError: its process was killed by signal 9 (SIGKILL), probably out of memory"


@pytest.fixture
async def worker(path: Path, queue: TaskQueue) -> AsyncIterator[Worker]:
    """A worker with one child for all that the test enqueues."""
    async with Worker(path, executor="process", max_concurrency=1, grace=0) as worker:
        yield worker


@pytest.fixture
def pid_file(tmp_path: Path) -> Path:
    """Where a call tells that it runs, and in which process."""
    return tmp_path / "pid"


async def pid_in(pid_file: Path) -> int:
    return int(await until(lambda: asyncio.to_thread(lambda: pid_file.exists() and pid_file.read_text())))


async def ended(queue: TaskQueue, function: Callable[..., Any], *args: Any, **options: Any) -> Result:
    result = await queue.get_result(await queue.options(**options).enqueue(function, *args))
    assert result is not None, "it has not ended"
    return result


def is_gone(pid: int) -> bool:
    """Tell whether a process has ended; one that nobody has waited for counts as ended."""
    try:
        return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def children_of(pid: int) -> list[str]:
    """List the states of a process's children, "Z" for those that nobody has waited for."""
    listed = subprocess.run(["ps", "--ppid", str(pid), "-o", "stat=,args="], capture_output=True, text=True).stdout
    return [line for line in listed.splitlines() if " ps " not in line]


async def test_death_is_noticed_though_a_fork_holds_the_connection(queue: TaskQueue, worker: Worker) -> None:
    def die_before_the_fork() -> None:
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
        os.kill(os.getpid(), signal.SIGKILL)

    assert (await ended(queue, die_before_the_fork)).error == BY_OS


async def test_fork_that_leaves_by_an_exit_takes_no_part_in_the_conversation(queue: TaskQueue, worker: Worker) -> None:
    def fork(word: str) -> int:
        if os.fork() == 0:
            sys.exit(0)
        os.wait()
        print(word)
        return os.getpid()

    first, second = await queue.map(fork, ["first", "second"])

    assert await first == await second
    texts = [[chunk.text for chunk in await handle.output()] for handle in (first, second)]
    assert texts == [["first\n"], ["second\n"]]


async def test_pool_of_forks_works_inside_a_call(queue: TaskQueue, worker: Worker) -> None:
    def compute() -> list[int]:
        with multiprocessing.get_context("fork").Pool(2) as pool:
            return pool.map(abs, [-1, -2])

    assert await (await queue.enqueue(compute)) == [1, 2]


async def test_program_in_a_session_of_its_own_delays_no_timeout(queue: TaskQueue, worker: Worker) -> None:
    def start_and_wait() -> None:
        subprocess.Popen(["sleep", "5"], start_new_session=True)
        time.sleep(60)

    begun = time.monotonic()
    result = await ended(queue, start_and_wait, timeout=0.3)

    assert result.error == "TaskTimeoutError: it ran longer than its timeout of 0.3 s"
    assert time.monotonic() - begun < 2.5


async def test_program_in_a_session_of_its_own_delays_no_stop(path: Path, queue: TaskQueue) -> None:
    async with Worker(path, executor="process"):
        await ended(queue, lambda: bool(subprocess.Popen(["sleep", "5"], start_new_session=True)))
        begun = time.monotonic()

    assert time.monotonic() - begun < 2.5


async def test_sigterm_of_a_service_manager_leaves_a_call_its_grace(
    queue: TaskQueue, worker: Worker, pid_file: Path, gate: Path
) -> None:
    def work() -> str:
        pid_file.write_text(str(os.getpid()))
        while not gate.exists():
            time.sleep(0.01)
        return "done"

    task = await queue.enqueue(work)
    os.kill(await pid_in(pid_file), signal.SIGTERM)
    gate.touch()

    assert await task == "done"


async def test_call_after_one_that_took_no_sigterm_may_clean_up(
    queue: TaskQueue, worker: Worker, tmp_path: Path
) -> None:
    cleaned = tmp_path / "cleaned"

    def work() -> None:
        try:
            time.sleep(60)
        finally:
            cleaned.touch()

    await ended(queue, lambda: bool(signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})))
    await ended(queue, lambda: bool(signal.signal(signal.SIGTERM, signal.SIG_IGN)))
    await ended(queue, work, timeout=0.3)

    assert cleaned.exists()


async def test_coroutine_in_a_process_may_clean_up(queue: TaskQueue, worker: Worker, tmp_path: Path) -> None:
    cleaned = tmp_path / "cleaned"

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            cleaned.touch()

    result = await ended(queue, work, timeout=0.3, executor="process")

    assert result.error is not None and result.error.startswith("TaskTimeoutError")
    assert cleaned.exists()


async def test_worker_that_stops_in_the_middle_of_a_kill_completes_it(
    path: Path, queue: TaskQueue, pid_file: Path
) -> None:
    def refuse_to_end() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        pid_file.write_text(str(os.getpid()))
        time.sleep(60)

    async with Worker(path, executor="process", grace=0):
        await queue.options(timeout=0.2).enqueue(refuse_to_end)
        pid = await pid_in(pid_file)
        await asyncio.sleep(0.4)

    assert is_gone(pid)


async def test_time_that_is_up_for_the_worker_gives_calls_back(path: Path, queue: TaskQueue, pid_file: Path) -> None:
    def run() -> None:
        pid_file.write_text(str(os.getpid()))
        time.sleep(60)

    task = await queue.enqueue(run)
    with pytest.raises(TimeoutError):
        await Worker(path, executor="process").run_until_empty(timeout=1.0)

    assert [attempt.cause for attempt in await queue.attempts(task)] == [Cause.RELEASED]
    assert is_gone(await pid_in(pid_file))


@pytest.mark.parametrize("seconds", [0.0, 0.005, 0.01, 0.02, 0.04])
async def test_worker_that_stops_while_a_child_starts_leaves_none(path: Path, queue: TaskQueue, seconds: float) -> None:
    async with Worker(path, executor="process", grace=0):
        await until_claimed(queue, await queue.enqueue(os.getpid))
        await asyncio.sleep(seconds)

    async def gone() -> bool:
        return not any("sitq.running.child" in child for child in children_of(os.getpid()))

    assert await until(gone, timeout=2.0)


def test_children_leave_no_zombie_to_a_worker_that_adopts_orphans(path: Path, tmp_path: Path) -> None:
    script = tmp_path / "adopts.py"
    script.write_text(ADOPTS)

    ran = subprocess.run([sys.executable, script, path], capture_output=True, text=True, timeout=30)

    assert (ran.stdout, ran.stderr) == ("[]\n", "")


# A worker that is the first process of a container is the parent of all that loses its own; here prctl makes it so.
ADOPTS = """
import asyncio, ctypes, os, subprocess, sys
from sitq import TaskQueue, Worker

PR_SET_CHILD_SUBREAPER = 36

async def main():
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    async with TaskQueue(sys.argv[1]) as queue:
        async with Worker(sys.argv[1], executor="process", max_tasks_per_child=1):
            for _ in range(3):
                await (await queue.enqueue(os.getpid))
    ps = subprocess.run(["ps", "--ppid", str(os.getpid()), "-o", "stat=,args="], capture_output=True, text=True)
    print([line for line in ps.stdout.splitlines() if " ps " not in line])

asyncio.run(main())
"""


async def test_killed_worker_whose_fork_lives_on_leaves_no_child(
    path: Path, queue: TaskQueue, programs: Any, pid_file: Path
) -> None:
    def fork() -> None:
        if os.fork() == 0:
            os.setsid()
            time.sleep(5)
            os._exit(0)

    def spin() -> None:
        pid_file.write_text(str(os.getpid()))
        while True:
            pass

    program = programs.start("worker.py", path)
    await queue.options(executor="process").enqueue(spin)
    pid = await pid_in(pid_file)
    await (await queue.options(executor="thread").enqueue(fork))
    program.send(signal.SIGKILL)

    assert await until(lambda: asyncio.to_thread(is_gone, pid), timeout=3.0)


async def test_program_of_c_prints_into_the_output(queue: TaskQueue, worker: Worker) -> None:
    handle = await queue.enqueue(lambda: ctypes.CDLL(None).printf(b"from C\n"))
    await handle

    assert [chunk.text for chunk in await handle.output()] == ["from C\n"]


async def test_file_that_got_the_number_of_stdout_holds_what_the_call_wrote(
    queue: TaskQueue, worker: Worker, tmp_path: Path
) -> None:
    file = tmp_path / "file"

    def write() -> int:
        number = os.open(file, os.O_CREAT | os.O_WRONLY)
        os.write(number, b"mine")
        return number

    await ended(queue, os.close, 1)
    assert await (await queue.enqueue(write)) == 1

    assert file.read_bytes() == b"mine"


async def test_text_that_is_no_unicode_can_be_printed(queue: TaskQueue, worker: Worker) -> None:
    handle = await queue.enqueue(print, "a\udc80ü")
    await handle

    assert [chunk.text for chunk in await handle.output()] == ["a\\udc80ü\n"]


UNREAD = """
import asyncio
from sitq import TaskQueue, Worker

async def main():
    async with TaskQueue(":memory:") as queue, Worker(queue.backend, executor="process", output_limit=0):
        await (await queue.enqueue(print, "hello"))

asyncio.run(main())
"""


def test_output_that_nobody_keeps_goes_where_the_worker_prints(tmp_path: Path) -> None:
    script = tmp_path / "unread.py"
    script.write_text(UNREAD)

    ran = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=30)

    assert (ran.stdout, ran.stderr) == ("hello\n", "")


async def test_module_in_the_working_folder_hides_none_of_pythons(
    queue: TaskQueue, worker: Worker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise RuntimeError('hidden')")
    monkeypatch.chdir(tmp_path)

    assert await (await queue.enqueue(os.getcwd)) == str(tmp_path)


async def test_child_is_of_the_same_sitq_as_its_worker(
    queue: TaskQueue, worker: Worker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitq.py").write_text("raise RuntimeError('another one')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    assert await (await queue.enqueue(len, "same")) == 4


def scribble() -> None:
    for number in range(3, 200):
        try:
            os.write(number, b"\xff" * 100)
        except OSError:
            continue


@pytest.mark.parametrize(
    ("function", "error"),
    [
        (lambda: os.closerange(3, 200), "TaskLostError: its process ended with exit code 0"),
        (
            lambda: os.execvp("sleep", ["sleep", "60"]),
            "TaskLostError: its process let go of its connection to the worker",
        ),
        (scribble, "TaskLostError: its process "),
    ],
    ids=["close", "exec", "scribble"],
)
async def test_call_that_breaks_the_connection_is_lost_alone(
    queue: TaskQueue, worker: Worker, function: Callable[[], None], error: str
) -> None:
    result = await ended(queue, function)

    assert result.error is not None and result.error.startswith(error)
    assert await (await queue.enqueue(len, "next")) == 4


async def test_child_of_a_worker_with_many_open_files_starts_and_stops(queue: TaskQueue, worker: Worker) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, limits[1]), limits[1]))
    files = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        result = await ended(queue, lambda: time.sleep(60), timeout=0.3)
    finally:
        for file in files:
            os.close(file)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)

    assert result.error == "TaskTimeoutError: it ran longer than its timeout of 0.3 s"


async def test_context_variable_that_a_call_set_is_not_seen_by_the_next(queue: TaskQueue, worker: Worker) -> None:
    def paint() -> Any:
        colours: Any = sys.modules.setdefault("colours", contextvars.ContextVar("colour", default="none"))
        before = colours.get()
        colours.set("red")
        return before

    assert [await (await queue.enqueue(paint)) for _ in range(2)] == ["none", "none"]


async def test_policy_waits_for_an_interpreter_that_is_missing(
    queue: TaskQueue, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    task = await queue.options(retry=Retry(max_attempts=2)).enqueue(os.getpid)

    async def tried() -> bool:
        return [attempt.cause for attempt in await queue.attempts(task)] == [Cause.ERROR]

    assert await until(tried)
    assert await task.status() is TaskStatus.PENDING


async def test_frozen_program_is_not_started_as_its_own_child(
    queue: TaskQueue, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)

    result = await ended(queue, os.getpid)

    assert result.error is not None
    assert result.error.startswith('ConfigurationError: executor "process" needs a Python interpreter, got the frozen')


async def test_hundred_calls_share_two_children(path: Path, queue: TaskQueue) -> None:
    handles = await queue.map(lambda _: os.getpid(), range(100))
    async with Worker(path, executor="process", max_concurrency=2):
        pids = {await handle for handle in handles}

    assert len(pids) <= 2 and all(map(is_gone, pids))


@pytest.mark.filterwarnings("ignore::sitq.serialization.LargePayloadWarning")
async def test_value_of_fifty_megabytes_comes_back(queue: TaskQueue, worker: Worker) -> None:
    assert len(await (await queue.enqueue(lambda: bytes(50_000_000)))) == 50_000_000


async def test_output_of_fifty_megabytes_is_cut_and_not_waited_for(queue: TaskQueue, worker: Worker) -> None:
    handle = await queue.enqueue(lambda: print("x" * 50_000_000, "end"))
    await handle.result(timeout=10)

    text = "".join(chunk.text for chunk in await handle.output())
    assert text.endswith("x end\n") and len(text) < 5_000_000
