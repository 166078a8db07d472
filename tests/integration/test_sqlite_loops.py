"""A SQLite store between event loops, threads and processes: what ends must not hang, what is shared must not mix."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest
from contract.builders import make_task
from processes import Programs

from sitq.backends.sqlite import SQLiteBackend
from sitq.exceptions import BackendError
from sitq.views import TaskQuery

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither fork nor signals")


async def ids_in(path: Path) -> set[str]:
    async with SQLiteBackend(path) as backend:
        return {info.id for info in await backend.list_tasks(TaskQuery(limit=10_000))}


@posix
def test_forked_child_is_refused_and_the_parent_goes_on(path: Path, programs: Programs) -> None:
    program = programs.run("fork_a_child.py", path)

    *refusals, last = program.out.splitlines()
    assert len(refusals) == 3
    assert all(line.startswith("refused: ") and str(path) in line and "fork" in line for line in refusals)
    assert (last, program.err) == ("parent goes on", "")


@posix
def test_forked_child_may_open_the_store_anew(path: Path, programs: Programs) -> None:
    program = programs.run("fork_and_reopen.py", path)

    assert (program.process.returncode, program.err) == (0, "")
    assert asyncio.run(ids_in(path)) == {"child", "parent"}


def test_unclosed_backend_does_not_hang_the_exit(path: Path, programs: Programs) -> None:
    program = programs.run("leave_open.py", path)

    assert (program.process.returncode, program.err) == (0, "")
    assert len(asyncio.run(ids_in(path))) == 1


def test_loop_that_ends_with_operations_in_flight_hangs_nothing(path: Path, programs: Programs) -> None:
    program = programs.run("leave_in_flight.py", path)

    assert (program.process.returncode, program.out, program.err) == (0, "1\n", "")


@posix
def test_interrupted_program_ends_at_once_and_keeps_what_was_confirmed(path: Path, programs: Programs) -> None:
    program = programs.start("enqueue_until_interrupted.py", path)
    program.wait_for_output("50\n")

    program.send(signal.SIGINT)

    assert program.wait(5.0) == 0
    *_, last, farewell = program.out.splitlines()
    assert (farewell, program.err) == ("interrupted", "")
    assert len(asyncio.run(ids_in(path))) >= int(last)


def test_backend_serves_one_loop_after_the_other(path: Path) -> None:
    backend = SQLiteBackend(path)

    async def use() -> int:
        async with backend:
            await backend.enqueue([make_task()])
            return len(await backend.list_tasks(TaskQuery()))

    assert [asyncio.run(use()) for _ in range(3)] == [1, 2, 3]


def test_backend_left_open_serves_the_next_loop(path: Path, programs: Programs) -> None:
    program = programs.run("reuse_on_next_loop.py", path)

    assert (program.process.returncode, program.out, program.err) == (0, "1\n2\n3\n", "")


async def test_twins_serve_two_loops_at_once(path: Path) -> None:
    async def use(backend: SQLiteBackend) -> None:
        async with backend:
            for _ in range(50):
                await backend.enqueue([make_task()])

    async with SQLiteBackend(path) as backend:
        elsewhere = asyncio.to_thread(asyncio.run, use(backend.twin()))
        await asyncio.gather(elsewhere, use(backend.twin()))

    assert len(await ids_in(path)) == 100


@pytest.mark.parametrize("number", range(10))
async def test_new_store_may_be_opened_by_many_at_once(path: Path, number: int) -> None:
    backends = [SQLiteBackend(path) for _ in range(10)]

    await asyncio.gather(*(backend.connect() for backend in backends))

    await asyncio.gather(*(backend.enqueue([make_task()]) for backend in backends))
    await asyncio.gather(*(backend.close() for backend in backends))
    assert len(await ids_in(path)) == 10


async def test_close_answers_everybody_who_is_in_flight(path: Path) -> None:
    backend = SQLiteBackend(path)
    await backend.connect()
    tasks = [make_task() for _ in range(100)]
    in_flight = [asyncio.create_task(backend.enqueue([task])) for task in tasks]
    await asyncio.sleep(0)

    await backend.close()

    answers = await asyncio.wait_for(asyncio.gather(*in_flight, return_exceptions=True), 5.0)
    confirmed = {answer[0] for answer in answers if isinstance(answer, list)}
    assert all(isinstance(answer, list | BackendError) for answer in answers)
    assert confirmed == await ids_in(path)


async def test_cancelled_caller_leaves_the_backend_usable(path: Path) -> None:
    async with SQLiteBackend(path) as backend:
        for delay in (0, 0.0001, 0.001):
            calls = [asyncio.create_task(backend.enqueue([make_task(payload=b"x" * 5000)])) for _ in range(20)]
            await asyncio.sleep(delay)
            for call in calls:
                call.cancel()
            answers = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 5.0)
            assert all(isinstance(answer, list | asyncio.CancelledError) for answer in answers)

        last = make_task()
        assert await backend.enqueue([last]) == [last.id]
        assert set(await backend.results([last.id])) == {last.id}


async def test_cancelled_caller_does_not_harm_those_beside_it(path: Path) -> None:
    async with SQLiteBackend(path) as backend:
        calls = [asyncio.create_task(backend.enqueue([make_task()])) for _ in range(30)]
        await asyncio.sleep(0)
        for call in calls[::3]:
            call.cancel()

        answers = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 5.0)

    others = [answer for place, answer in enumerate(answers) if place % 3]
    assert all(isinstance(answer, list) for answer in others)
    assert {answer[0] for answer in others} <= await ids_in(path)
