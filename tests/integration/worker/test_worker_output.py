"""What running tasks print and report: kept with the task, apart from each other, readable from elsewhere."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from sitq import TaskQueue, Worker, check_cancelled, progress, track
from sitq.core import Progress


async def text_of(queue: TaskQueue, task_id: str) -> str:
    return "".join(chunk.text for chunk in await queue.output(task_id))


def speak(name: str) -> None:
    for number in range(20):
        print(f"{name} {number}")
        time.sleep(0.001)


async def speak_async(name: str) -> None:
    for number in range(20):
        print(f"{name} {number}")
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("function", [speak, speak_async])
async def test_output_is_kept_with_the_task(function: Callable[..., Any], queue: TaskQueue, worker: Worker) -> None:
    handle = await queue.enqueue(function, "me")

    await handle

    assert await text_of(queue, handle) == "".join(f"me {number}\n" for number in range(20))


async def test_tasks_side_by_side_keep_their_own_output(queue: TaskQueue, worker: Worker) -> None:
    handles = [await queue.enqueue(function, f"{n}") for n in range(8) for function in (speak, speak_async)]

    for handle in handles:
        await handle

    for place, handle in enumerate(handles):
        assert await text_of(queue, handle) == "".join(f"{place // 2} {number}\n" for number in range(20))


COMPLAIN = """
import asyncio, logging, sys, warnings
from sitq import TaskQueue, Worker

logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")

def complain():
    print("to stderr", file=sys.stderr)
    logging.getLogger("complaints").info("logged")
    logging.getLogger("complaints").debug("too quiet")
    warnings.warn("warned")

async def main():
    async with TaskQueue(":memory:") as queue, Worker(queue.backend):
        handle = await queue.enqueue(complain)
        await handle
        for chunk in await handle.output():
            print(chunk.text, end="")

asyncio.run(main())
"""


def test_stderr_logging_and_warnings_are_output(tmp_path: Path) -> None:
    ran = subprocess.run([sys.executable, "-c", COMPLAIN], cwd=tmp_path, capture_output=True, text=True, timeout=30)

    assert ran.stdout.startswith("to stderr\nINFO logged\n")
    assert "UserWarning: warned" in ran.stdout
    assert "too quiet" not in ran.stdout
    assert "INFO logged" in ran.stderr


async def test_output_of_a_failed_attempt_is_kept(queue: TaskQueue, worker: Worker) -> None:
    def fail() -> None:
        print("last words")
        raise ValueError("no")

    handle = await queue.options(retry=2).enqueue(fail)
    await queue.get_result(handle)

    chunks = await handle.output()
    texts = ["".join(chunk.text for chunk in chunks if chunk.attempt == attempt) for attempt in (1, 2)]
    assert texts == ["last words\n", "last words\n"]


async def test_output_goes_on_to_where_it_would_have_gone(
    capsys: pytest.CaptureFixture[str], queue: TaskQueue, worker: Worker
) -> None:
    await (await queue.enqueue(print, "seen"))

    assert capsys.readouterr().out == "seen\n"


async def test_progress_can_be_read_while_the_task_runs(queue: TaskQueue, worker: Worker, gate: Path) -> None:
    def half() -> None:
        progress(1, 2, "half way")
        while not gate.exists():
            time.sleep(0.005)

    handle = await queue.enqueue(half)
    async with asyncio.timeout(5):
        while await handle.progress() is None:
            await asyncio.sleep(0.01)
    seen = await handle.progress()
    gate.touch()
    await handle

    assert seen == Progress(1.0, 2.0, "half way")


def count_up(n: int) -> int:
    return sum(1 for _ in track(range(n), message="counting"))


async def count_up_async(n: int) -> int:
    async def numbers() -> AsyncIterator[int]:
        for number in range(n):
            yield number

    return len([number async for number in track(numbers(), total=n, message="counting")])


@pytest.mark.parametrize("function", [count_up, count_up_async])
async def test_track_ends_at_all(function: Callable[..., Any], queue: TaskQueue, worker: Worker) -> None:
    handle = await queue.enqueue(function, 1000)

    assert await handle == 1000
    assert await handle.progress() == Progress(1000.0, 1000.0, "counting")


async def test_bar_of_tqdm_is_progress(queue: TaskQueue, worker: Worker) -> None:
    def draw() -> None:
        from tqdm import tqdm

        for _ in tqdm(range(3), desc="drawing", file=sys.stderr):
            pass

    handle = await queue.enqueue(draw)
    await handle

    assert await handle.progress() == Progress(3.0, 3.0, "drawing")


@pytest.mark.parametrize("call", [lambda: progress(1), check_cancelled])
async def test_cancelled_thread_ends_where_it_reports(
    call: Callable[[], None], queue: TaskQueue, worker: Worker, tmp_path: Path
) -> None:
    ended = tmp_path / "ended"

    def loop() -> None:
        try:
            while True:
                call()
                time.sleep(0.005)
        finally:
            ended.touch()

    handle = await queue.enqueue(loop)
    while await handle.status() != "running":
        await asyncio.sleep(0.01)
    await handle.cancel()
    async with asyncio.timeout(5):
        while not ended.exists():
            await asyncio.sleep(0.01)

    assert await handle.status() == "cancelled"


async def test_output_is_followed_to_the_end_of_the_task(path: Path, queue: TaskQueue, worker: Worker) -> None:
    handle = await queue.enqueue(speak_async, "live")

    async with TaskQueue(path) as elsewhere:
        texts = [chunk.text async for chunk in elsewhere.follow_output(handle)]

    assert "".join(texts) == "".join(f"live {number}\n" for number in range(20))


async def test_flood_of_output_stays_within_its_limit(path: Path, queue: TaskQueue) -> None:
    def flood() -> None:
        for number in range(100_000):
            print(f"line {number:060}")

    async with Worker(path, output_limit=100_000):
        handle = await queue.enqueue(flood)
        await handle

    text = await text_of(queue, handle)
    assert text.endswith("line " + f"{99_999:060}\n")
    assert len(text) < 200_000


async def test_worker_can_be_told_to_capture_nothing(path: Path, queue: TaskQueue) -> None:
    async with Worker(path, output_limit=0):
        handle = await queue.enqueue(speak, "unheard")
        await handle

    assert await handle.output() == []


async def test_reporting_outside_of_a_task_does_nothing() -> None:
    progress(1, 2)

    assert list(track("abc")) == ["a", "b", "c"]


async def test_impossible_progress_fails_the_task_clearly(queue: TaskQueue, worker: Worker) -> None:
    handle = await queue.enqueue(lambda: progress(-1, 2))

    result = await queue.get_result(handle)

    assert result is not None
    assert result.error == "ValidationError: done must be a number, 0 or more, got -1"
