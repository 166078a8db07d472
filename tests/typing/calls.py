"""What type checkers make of a user's calls; nothing here runs.

A call that must be refused has an ignore with its reason, and checkers complain of an ignore that is not needed.
"""

from typing import Any, assert_type

from sitq import Retry, SyncTaskQueue, TaskHandle, TaskQueue, task


def add(left: int, right: int = 0) -> int:
    return left + right


async def fetch(url: str, *, tries: int = 1) -> bytes:
    return url.encode() * tries


@task(retry=Retry(3), queue="mail")
def greet(name: str) -> str:
    return f"hello {name}"
