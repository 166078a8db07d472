"""Options that a function brings along."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from sitq import TaskQueue, ValidationError, task
from sitq.views import TaskInfo


@task(queue="mail", priority=3, delay=60.0)
def send(to: str) -> str:
    return to


def plain(to: str) -> str:
    return to


async def info_of(queue: TaskQueue, task_id: str) -> TaskInfo:
    info = await queue.get_task(task_id)
    assert info is not None
    return info


async def test_defaults_of_a_function_are_taken(tmp_path: Path) -> None:
    async with TaskQueue(tmp_path / "tasks.db") as queue:
        one = await info_of(queue, await queue.enqueue(send, "ada"))
        (handle,) = await queue.map(send, ["ada"])
        many = await info_of(queue, handle)

    assert (one.queue, one.priority) == (many.queue, many.priority) == ("mail", 3)


async def test_options_of_the_queue_win_over_defaults(tmp_path: Path) -> None:
    async with TaskQueue(tmp_path / "tasks.db") as queue:
        info = await info_of(queue, await queue.options(priority=0).enqueue(send, "ada"))

    assert (info.queue, info.priority) == ("mail", 0)


async def test_eta_takes_the_place_of_a_default_delay(tmp_path: Path) -> None:
    eta = datetime.now(UTC) + timedelta(hours=1)
    async with TaskQueue(tmp_path / "tasks.db") as queue:
        info = await info_of(queue, await queue.enqueue(send, "ada", eta=eta))

    assert info.due_at == eta


async def test_other_functions_have_no_defaults(tmp_path: Path) -> None:
    async with TaskQueue(tmp_path / "tasks.db") as queue:
        info = await info_of(queue, await queue.enqueue(plain, "ada"))

    assert (info.queue, info.priority) == ("default", 0)


def test_function_stays_callable() -> None:
    assert send("ada") == "ada"


def test_unknown_default_is_refused_with_the_likely_name() -> None:
    with pytest.raises(ValidationError, match="there is no option 'que'; did you mean 'queue'"):
        task(que="mail")


class Mailer:
    @task(queue="mail")
    def send(self, to: str) -> str:
        return to


@pytest.mark.parametrize("function", [Mailer().send, partial(send, "ada")])
async def test_defaults_hold_for_bound_methods_and_partials(function: Callable[..., str], tmp_path: Path) -> None:
    async with TaskQueue(tmp_path / "tasks.db") as queue:
        info = await info_of(queue, await queue.enqueue(function, "ada"))

    assert info.queue == "mail"


def test_decorating_what_cannot_be_remembered_is_refused() -> None:
    class Unhashable:
        __hash__ = None  # type: ignore[assignment]

        def __call__(self) -> None: ...

    with pytest.raises(ValidationError, match=r"task\(...\) stands above a function, got Unhashable"):
        task(queue="mail")(Unhashable())
