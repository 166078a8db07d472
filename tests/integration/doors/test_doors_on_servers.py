"""One URL changed, and all doors work on a server as they do on a file."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from servers import Servers

from sitq import Executor, Inspector, SyncTaskQueue, TaskQueue, Worker
from sitq.backends import backend_from_url
from sitq.cli import main
from sitq.migrating import Migration, migrate
from sitq.notebook import start_worker
from sitq.testing import run_until_empty_sync
from sitq_monitor.__main__ import main as monitor


@pytest.fixture(params=["postgres", "redis", "nats"])
def url(request: pytest.FixtureRequest, servers: Servers) -> str:
    """An empty store on a server of each kind."""
    return servers.store(request.param)


def fail() -> None:
    raise ValueError("no luck")


async def test_queue_and_worker(url: str) -> None:
    async with TaskQueue(url) as queue, Worker(url):
        values = await queue.map(abs, range(-50, 0))
        total = await queue.enqueue(sum, values)

        assert await total.result(timeout=10) == 1275


async def test_a_schedule_fires(url: str) -> None:
    async with TaskQueue(url) as queue, Worker(url):
        await queue.schedule(abs, -1, name="beat", every=0.1)
        async with asyncio.timeout(10):
            while len(await queue.list_tasks()) < 2:
                await asyncio.sleep(0.02)


def test_blocking_queue(url: str) -> None:
    with SyncTaskQueue(url) as queue:
        good, bad = queue.enqueue(pow, 2, 5), queue.enqueue(fail)
        run_until_empty_sync(queue)

        assert queue.get_result(good) == 32
        assert queue.get_full_result(bad).error == "ValueError: no luck"  # type: ignore[union-attr]


def test_executor(url: str) -> None:
    with Executor(url, 2) as executor:
        assert list(executor.map(abs, [-1, -2, -3], timeout=10)) == [1, 2, 3]


def test_worker_of_the_command_line_in_a_process(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["enqueue", url, "builtins:print", "hello"]) == 0
    (task_id,) = capsys.readouterr().out.split()
    command = [sys.executable, "-m", "sitq", "worker", url, "--burst"]
    worked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30, env={**os.environ})

    assert worked.returncode == 0, worked.stderr
    assert main(["logs", url, task_id]) == 0
    assert capsys.readouterr().out == "hello\n"


def test_commands_look_and_act(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with SyncTaskQueue(url) as queue:
        bad = queue.options(name="bad").enqueue(fail)
        run_until_empty_sync(queue)

    assert main(["list", url, "--status", "failed", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["id"] == bad
    assert main(["show", url, bad]) == 0
    assert "ValueError: no luck" in capsys.readouterr().out
    assert main(["requeue", url, bad]) == 0
    assert main(["cancel", url, bad]) == 0
    assert main(["stats", url, "--json"]) == 0
    assert '"cancelled": 1' in capsys.readouterr().out
    assert main(["doctor", url]) == 0


def test_monitor(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with SyncTaskQueue(url) as queue:
        queue.options(name="report").enqueue(abs, -1)

    assert monitor(["--once", url]) in (0, None)
    assert "report" in capsys.readouterr().out


async def test_looking_makes_no_store(url: str) -> None:
    with pytest.raises(Exception, match=r"a queue or a worker makes"):
        async with Inspector(url):
            pass


async def test_migrate_there_and_back(url: str, path: Path) -> None:
    async with TaskQueue(path) as queue:
        ended = await queue.enqueue(abs, -1)
        await Worker(queue.backend).run_until_empty()
        waiting = await queue.options(after=[ended], queue="mail", delay=3600.0).enqueue(str, ended)
        await queue.schedule(abs, -1, name="nine", cron="0 9 * * *", timezone="Europe/Berlin")
        before = await queue.list_tasks(), await queue.schedules()
        async with backend_from_url(url) as there, backend_from_url("memory://back") as back:
            assert await migrate(queue.backend, there, finished=True) == Migration(1, 1, 1)
            assert await migrate(there, back, finished=True) == Migration(1, 1, 1)
            moved = TaskQueue(back)
            assert await moved.handle(ended) == 1
            after = await moved.get_task(waiting), await moved.schedules()

    assert (after[0].due_at, after[0].queue) == (before[0][0].due_at, "mail")  # type: ignore[union-attr]
    assert (after[1][0].next_at, after[1][0].timezone) == (before[1][0].next_at, "Europe/Berlin")


@pytest.mark.parametrize("mode", ["thread", "process"])
def test_worker_beside_a_notebook(url: str, mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # where the process keeps its log
    with start_worker(url, concurrency=2, mode=mode) as worker:
        assert worker.submit(pow, 2, 5).result(timeout=15) == 32
        assert [handle.result(timeout=15) for handle in worker.map(abs, [-1, -2])] == [1, 2]


def test_no_password_is_shown_or_stands_in_a_command(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    url = servers.store("redis").replace("redis://", "redis://default:secret@")  # where it is not asked for
    with start_worker(url, concurrency=1, mode="process") as worker:
        worker.submit(abs, -1).result(timeout=15)
        commands = subprocess.run(["ps", "-eo", "args", "-ww"], capture_output=True, text=True, check=True).stdout

        assert "secret" not in f"{worker!r}{worker._repr_html_()}{capsys.readouterr().out}"
        assert "default:secret" not in commands
