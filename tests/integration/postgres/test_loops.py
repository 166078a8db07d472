"""One backend and many event loops, threads and processes."""

import asyncio
import sys
import threading

import pytest
from contract.builders import make_task
from processes import Programs

from sitq import SyncTaskQueue, TaskQueue, Worker
from sitq.backends.postgres import PostgresBackend
from sitq.exceptions import BackendError
from sitq.views import TaskQuery


async def ids_in(url: str) -> set[str]:
    async with PostgresBackend(url) as backend:
        return {info.id for info in await backend.list_tasks(TaskQuery(limit=10_000))}


def test_backend_opens_again_on_the_next_loop(url: str) -> None:
    backend = PostgresBackend(url)

    async def enqueue_one() -> int:
        await backend.connect()
        queue = TaskQueue(backend)
        await queue.enqueue(abs, -1)
        return (await queue.stats()).queues[0].pending

    async def use_and_close() -> int:
        pending = await enqueue_one()
        await backend.close()
        return pending

    assert [asyncio.run(use_and_close()) for _ in range(3)] == [1, 2, 3]


posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows does not fork")


@posix
def test_forked_child_is_refused_and_the_parent_goes_on(url: str, programs: Programs) -> None:
    program = programs.run("fork_a_child.py", url)

    *refusals, last = program.out.splitlines()
    assert len(refusals) == 3
    assert all(line.startswith("refused: ") and "forked child" in line for line in refusals)
    assert (last, program.err) == ("parent goes on", "")


@posix
def test_forked_child_may_open_the_store_anew(url: str, programs: Programs) -> None:
    program = programs.run("fork_and_reopen.py", url)

    assert (program.process.returncode, program.err) == (0, "")
    assert asyncio.run(ids_in(url)) == {"child", "parent"}


@posix
def test_forked_child_that_opens_an_inherited_backend_leaves_the_parents_connections_alone(
    url: str, programs: Programs
) -> None:
    program = programs.run("fork_and_reuse.py", url)

    assert (program.process.returncode, program.err) == (0, "")
    assert program.out == "child True\nparent True\n"


def test_unclosed_backend_does_not_hang_the_exit(url: str, programs: Programs) -> None:
    program = programs.run("leave_open.py", url)

    assert (program.process.returncode, program.err) == (0, "")
    assert len(asyncio.run(ids_in(url))) == 1


def test_loop_that_ends_with_operations_in_flight_hangs_nothing(url: str, programs: Programs) -> None:
    program = programs.run("leave_in_flight.py", url)

    assert (program.process.returncode, program.out) == (0, "1\n")


def test_backend_left_open_serves_the_next_loop(url: str, programs: Programs) -> None:
    program = programs.run("reuse_on_next_loop.py", url)

    assert (program.process.returncode, program.out, program.err) == (0, "1\n2\n3\n", "")


async def test_close_answers_everybody_who_is_in_flight(url: str) -> None:
    backend = PostgresBackend(url)
    await backend.connect()
    in_flight = [asyncio.create_task(backend.enqueue([make_task()])) for _ in range(100)]
    await asyncio.sleep(0)

    await backend.close()

    answers = await asyncio.wait_for(asyncio.gather(*in_flight, return_exceptions=True), 5.0)
    assert all(isinstance(answer, list | BackendError) for answer in answers)
    assert {answer[0] for answer in answers if isinstance(answer, list)} == await ids_in(url)


async def test_cancelled_callers_leave_the_backend_usable(url: str) -> None:
    async with PostgresBackend(url) as backend:
        for delay in (0, 0.0001, 0.001, 0.01):
            calls = [asyncio.create_task(backend.enqueue([make_task()])) for _ in range(20)]
            calls += [asyncio.create_task(backend.results(["x"])) for _ in range(20)]
            await asyncio.sleep(delay)
            for call in calls:
                call.cancel()
            await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 5.0)

        last = make_task()
        assert await backend.enqueue([last]) == [last.id]
        assert set(await backend.results([last.id])) == {last.id}


def test_blocking_queue_and_a_worker_in_another_thread_work_together(url: str) -> None:
    with SyncTaskQueue(url) as queue:
        tasks = queue.map(abs, range(-20, 0))
        worker = threading.Thread(target=lambda: asyncio.run(Worker(url).run_until_empty()))
        worker.start()
        values = [queue.get_result(task, timeout=10) for task in tasks]
        worker.join()

    assert values == list(range(20, 0, -1))
