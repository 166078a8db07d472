"""The API lines with which sitq was first described run to this day, word for word."""

import subprocess
import sys
from pathlib import Path

import pytest
from pages import ROOT

BASIC_USAGE = '''
import asyncio
from sitq import TaskQueue, Worker, SQLiteBackend

async def my_task(name: str) -> str:
    """Example task function."""
    await asyncio.sleep(0.1)  # Simulate work
    return f"Hello, {name}!"

async def main():
    # Set up backend and queue
    backend = SQLiteBackend("tasks.db")
    await backend.connect()
    queue = TaskQueue(backend=backend)

    # Enqueue a task
    task_id = await queue.enqueue(my_task, "World")

    # Start worker to process tasks
    worker = Worker(backend, max_concurrency=2)
    worker_task = asyncio.create_task(worker.start())

    # Get result
    result = await queue.get_result(task_id, timeout=5)
    if result and result.status == "success":
        value = queue.deserialize_result(result)
        print(f"Result: {value}")

    # Cleanup
    await worker.stop()
    await worker_task
    await backend.close()

if __name__ == "__main__":
    asyncio.run(main())
'''

SYNC_CONTEXT = """
from sitq import SyncTaskQueue, SQLiteBackend

def main():
    # SyncTaskQueue manages its own event loop
    with SyncTaskQueue(SQLiteBackend("tasks.db")) as queue:
        task_id = queue.enqueue(my_task, "World")
        result = queue.get_result(task_id, timeout=5)
        print(f"Result: {result}")

if __name__ == "__main__":
    main()
"""

INSIDE_A_LOOP = """
async def coroutine():
    main()

asyncio.run(coroutine())
"""

WORKER = "import sitq; sitq.Worker('tasks.db').run()"


def _run(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "script.py").write_text(script)
    command = [sys.executable, "-W", "error", "script.py"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=30)


def test_basic_usage_prints_the_result(tmp_path: Path) -> None:
    ran = _run(BASIC_USAGE, tmp_path)
    assert (ran.stdout, ran.stderr) == ("Result: Hello, World!\n", "")


def test_sync_context_usage_prints_the_result_that_a_worker_made(tmp_path: Path) -> None:
    worker = subprocess.Popen([sys.executable, "-c", WORKER], cwd=tmp_path)
    try:
        ran = _run(BASIC_USAGE + SYNC_CONTEXT, tmp_path)
    finally:
        worker.terminate()
        worker.wait()
    assert (ran.stdout, ran.stderr) == ("Result: Hello, World!\n" * 2, "")


def test_sync_queue_is_refused_inside_an_existing_event_loop(tmp_path: Path) -> None:
    without_main = SYNC_CONTEXT.partition("if __name__")[0]
    ran = _run(BASIC_USAGE + without_main + INSIDE_A_LOOP, tmp_path)
    assert "SyncTaskQueueError: SyncTaskQueue would block the running event loop" in ran.stderr


@pytest.mark.parametrize("script", ["examples/basic/api_demo.py", "example_end_to_end.py"])
def test_scripts_are_where_it_says(script: str) -> None:
    assert (ROOT / script).is_file()
