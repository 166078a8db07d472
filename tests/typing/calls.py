"""What type checkers make of a user's calls; nothing here runs.

A call that must be refused has an ignore, and checkers complain of an ignore that is not needed.
"""

from typing import assert_type

from sitq import Retry, TaskHandle, TaskQueue, task


def add(left: int, right: int = 0) -> int:
    return left + right


async def fetch(url: str, *, tries: int = 1) -> bytes:
    return url.encode() * tries


@task(retry=Retry(3), queue="mail")
def greet(name: str) -> str:
    return f"hello {name}"


async def handles_know_their_value(queue: TaskQueue) -> None:
    assert_type(await queue.enqueue(add, 1, right=2), TaskHandle[int])
    assert_type(await queue.enqueue(fetch, "url", tries=2), TaskHandle[bytes])
    assert_type(await queue.enqueue(greet, "Ada"), TaskHandle[str])
    assert_type(await queue.map(add, [1, 2]), list[TaskHandle[int]])
    assert_type(await queue.enqueue_many(fetch, [("url",)]), list[TaskHandle[bytes]])
    assert_type(await queue.options(priority=1).enqueue(add, 1), TaskHandle[int])
    assert_type(await queue.options(priority=1).map(fetch, ["url"]), list[TaskHandle[bytes]])


async def values_have_their_type(queue: TaskQueue) -> None:
    handle = await queue.enqueue(add, 1)
    assert_type(await handle, int)
    assert_type(await handle.result(timeout=1.0), int)
    async for done in queue.as_completed([handle]):
        assert_type(done, TaskHandle[int])


async def wrong_arguments_are_refused(queue: TaskQueue) -> None:
    await queue.enqueue(add, "one")  # type: ignore[call-overload]
    await queue.enqueue(add)  # type: ignore[call-overload]
    await queue.enqueue(add, 1, wrong=2)  # type: ignore[call-arg, arg-type]
    await queue.enqueue(fetch, "url", tries="many")  # type: ignore[arg-type]
    await queue.enqueue("add")  # type: ignore[call-overload]
    await queue.options(priority=1).enqueue(greet, 7)  # type: ignore[call-overload]


def decorated_functions_stay_callable() -> None:
    assert_type(greet("Ada"), str)
    greet(7)  # type: ignore[arg-type]
