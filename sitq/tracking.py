"""How a running task tells how far it has come."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Sized
from typing import TypeVar, overload

from sitq.context import check_cancelled, current_task
from sitq.validation import amount

T = TypeVar("T")


def progress(done: float | None = None, total: float | None = None, message: str | None = None) -> None:
    """Tell how far the running task has come; outside of a task do nothing.

    It may be called as often as you like: what is new goes to the store a few times a second.

    Args:
        done: units done so far.
        total: units altogether.
        message: a short text for people.

    Raises:
        TaskCancelledError: the task was cancelled or its time is up.
        ValidationError: `done` or `total` is not a number, 0 or more.
    """
    task = current_task()
    if task is None:
        return
    check_cancelled()
    if done is not None:
        amount("done", done)
    if total is not None:
        amount("total", total)
    if task.reporter is not None:
        task.reporter.progress(done, total, message)


@overload
def track(items: Iterable[T], total: float | None = None, message: str | None = None) -> Iterator[T]: ...
@overload
def track(items: AsyncIterable[T], total: float | None = None, message: str | None = None) -> AsyncIterator[T]: ...


def track(
    items: Iterable[T] | AsyncIterable[T], total: float | None = None, message: str | None = None
) -> Iterator[T] | AsyncIterator[T]:
    """Pass items on and report how many are done; outside of a task just pass them on.

    ```python
    for page in track(pages, message="reading"):
        read(page)
    ```

    Args:
        items: any iterable, or an asynchronous one for `async for`.
        total: how many there are; `len(items)` where that is known.

    Raises:
        TaskCancelledError: while it runs: the task was cancelled or its time is up.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    if isinstance(items, AsyncIterable):
        return _track_async(items, total, message)
    return _track(items, total, message)


def _track(items: Iterable[T], total: float | None, message: str | None) -> Iterator[T]:
    done = 0
    progress(done, total, message)
    for item in items:
        yield item
        done += 1
        progress(done, total, message)


async def _track_async(items: AsyncIterable[T], total: float | None, message: str | None) -> AsyncIterator[T]:
    done = 0
    progress(done, total, message)
    async for item in items:
        yield item
        done += 1
        progress(done, total, message)
