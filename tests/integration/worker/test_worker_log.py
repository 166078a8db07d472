"""What a worker logs: each task begun and ended, itself started and stopped, and never what a task carries."""

import asyncio
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from running import echo, result_of

from sitq.middleware import Timing
from sitq.queue import TaskQueue
from sitq.retry import Retry
from sitq.worker import Worker

SECRET = "correct horse battery staple"


@pytest.fixture(autouse=True)
def _all_levels(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="sitq")


def own_lines(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    return [
        record.getMessage() for record in caplog.records if record.name.startswith("sitq") and record.levelno == level
    ]


async def run_one(path: Path, queue: TaskQueue, function: object, *args: object) -> str:
    task = await queue.enqueue(function, *args)  # type: ignore[arg-type]
    await Worker(path).run_until_empty(timeout=5)
    await result_of(queue, task)
    return str(task)


async def test_each_task_is_logged_when_it_begins_and_ends(
    path: Path, queue: TaskQueue, caplog: pytest.LogCaptureFixture
) -> None:
    task = await run_one(path, queue, echo, 1)

    begun, ended = [line for line in own_lines(caplog, logging.INFO) if line.startswith(task)]
    assert begun == f"{task} attempt 1 of running.echo begins"
    assert ended == f"{task} attempt 1 ended: success"


async def test_worker_is_logged_when_it_starts_and_stops(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    worker = Worker(path)
    await worker.run_until_empty(timeout=5)

    lines = own_lines(caplog, logging.INFO)
    assert lines[0] == f"worker {worker.info.id} started, max_concurrency=10"
    assert lines[-1] == f"worker {worker.info.id} stopped"


async def test_lines_come_from_the_worker(path: Path, queue: TaskQueue, caplog: pytest.LogCaptureFixture) -> None:
    await run_one(path, queue, echo, 1)

    assert {record.name for record in caplog.records if record.levelno == logging.INFO} == {"sitq.worker"}


async def wait_with(secret: str) -> None:
    await asyncio.sleep(0.2)


def fail_with(secret: str) -> None:
    raise ValueError("no")


@pytest.mark.parametrize("function", [echo, fail_with])
async def test_arguments_and_values_are_never_logged(
    function: object, path: Path, queue: TaskQueue, caplog: pytest.LogCaptureFixture
) -> None:
    await run_one(path, queue, function, SECRET)

    assert SECRET not in caplog.text


async def test_run_without_trouble_logs_no_warning(
    path: Path, queue: TaskQueue, caplog: pytest.LogCaptureFixture
) -> None:
    await run_one(path, queue, echo, 1)

    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("logger", ["worker", "heartbeat", "purging", "middleware", "notebook.thread"])
def test_program_without_logging_sees_no_warnings(logger: str) -> None:
    program = f"import logging, sitq; logging.getLogger('sitq.{logger}').error('trouble')"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("middleware", [[], [Timing(slow=1e-9)]])
@pytest.mark.parametrize("ends", [{"retry": Retry(max_attempts=2, delay=0.0)}, {"timeout": 0.05}, {"retention": 0.001}])
async def test_arguments_are_never_logged_however_it_ends(
    ends: dict[str, Any], middleware: list[Timing], path: Path, queue: TaskQueue, caplog: pytest.LogCaptureFixture
) -> None:
    for function in (fail_with, wait_with):
        await queue.options(meta={"note": SECRET}, **ends).enqueue(function, SECRET)
    await Worker(path, middleware=middleware).run_until_empty(timeout=10)
    await Worker(path, middleware=middleware).run_until_empty(timeout=10)

    assert len(caplog.records) >= 8
    assert SECRET not in caplog.text


def test_import_logs_nothing_and_sets_no_logging_up() -> None:
    program = (
        "import logging; import sitq; sitq.Worker; sitq.TaskQueue; sitq.SyncTaskQueue;"
        "loggers = [logging.getLogger(name) for name in logging.root.manager.loggerDict if name.startswith('sitq')];"
        "assert len(loggers) > 1; assert not any(one.level for one in loggers); assert not logging.root.handlers;"
        "assert [type(handler) for one in loggers for handler in one.handlers] == [logging.NullHandler]"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
