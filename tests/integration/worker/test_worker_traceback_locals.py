"""Variables in tracebacks: on request, of the user's own frames, and at no risk."""

import json
from pathlib import Path
from typing import Any

import pytest
from running import result_of

from sitq import Retry, TaskQueue, Worker

EXECUTORS = pytest.mark.parametrize("executor", ["thread", "process"])


class Unruly:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


def outer(count: int) -> None:
    secret, words, unruly = count * 2, ["a" * 500] * 3, Unruly()
    inner(secret)
    print(words, unruly)


def inner(number: int) -> None:
    try:
        json.loads("{")
    except ValueError as exc:
        raise KeyError(f"no {number}") from exc


async def outer_async(count: int) -> None:
    outer(count)


async def traceback_of(path: Path, function: Any, executor: str, *, on: bool = True) -> str:
    async with TaskQueue(path) as queue, Worker(path, executor=executor, traceback_locals=on, grace=0):
        return (await result_of(queue, await queue.enqueue(function, 21))).traceback or ""


@EXECUTORS
async def test_variables_stand_below_the_code_of_own_frames(path: Path, executor: str) -> None:
    lines = (await traceback_of(path, outer, executor)).splitlines()

    code = lines.index("    inner(secret)")
    assert {"    count = 21", "    secret = 42", "    unruly = <Unruly>"} <= set(lines[code:])
    assert "    number = 42" in lines
    assert max(map(len, lines)) < 300


@EXECUTORS
async def test_variables_are_not_told_unless_asked_for(path: Path, executor: str) -> None:
    assert "    count = 21" not in (await traceback_of(path, outer, executor, on=False)).splitlines()


async def test_variables_of_coroutine_functions_are_told(path: Path) -> None:
    assert (await traceback_of(path, outer_async, "thread")).splitlines().count("    count = 21") == 2


async def test_variables_of_libraries_are_left_out(path: Path) -> None:
    text = await traceback_of(path, outer, "thread")

    assert "json/decoder.py" in text
    assert "idx = " not in text


async def test_variables_of_a_group_and_of_retried_attempts_are_told(path: Path) -> None:
    def fails(hint: str) -> None:
        raise ExceptionGroup("two", [ValueError("a"), ValueError("b")])

    async with TaskQueue(path) as queue, Worker(path, traceback_locals=True, grace=0):
        task = await queue.options(retry=Retry(max_attempts=2, delay=0.01)).enqueue(fails, "look")
        await result_of(queue, task)
        tracebacks = [attempt.traceback or "" for attempt in await queue.attempts(task)]

    assert ["hint = 'look'" in text for text in tracebacks] == [True, True]


async def test_long_chain_of_exceptions_is_still_told(path: Path) -> None:
    def chain(length: int) -> None:
        error: Exception | None = None
        for number in range(100 * length):
            try:
                raise ValueError(number) from error
            except ValueError as exc:
                error = exc
        raise KeyError("last") from error

    assert "KeyError: 'last'" in await traceback_of(path, chain, "thread")
