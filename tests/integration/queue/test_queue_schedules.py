"""The queue schedules calls, looks at schedules and acts on them by name."""

import threading
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from sitq.exceptions import SerializationError, TaskQueueError, ValidationError
from sitq.inspector import Inspector
from sitq.options import task
from sitq.queue import TaskQueue
from sitq.views import TaskQuery

Drain = Callable[[], Awaitable[None]]


def greet(name: str = "Ada", *, loud: bool = False) -> str:
    return f"hello {name}".upper() if loud else f"hello {name}"


def named(name: str) -> str:
    return name


async def test_schedule_is_named_for_its_function(queue: TaskQueue) -> None:
    schedule = await queue.schedule(greet, "Bob", every=60.0)

    assert (schedule.name, schedule.task_name, schedule.arguments) == (
        f"{__name__}.greet",
        f"{__name__}.greet",
        "'Bob'",
    )


async def test_schedule_can_have_a_name_of_its_own(queue: TaskQueue) -> None:
    schedule = await queue.schedule(greet, name="every morning", cron="0 8 * * *", timezone=ZoneInfo("Europe/Berlin"))

    assert (schedule.name, schedule.timezone) == ("every morning", "Europe/Berlin")
    assert await queue.schedules() == [schedule]


async def test_name_of_the_tasks_is_the_name_of_the_schedule(queue: TaskQueue) -> None:
    schedule = await queue.options(name="greeting").schedule(greet, every=60.0)

    assert (schedule.name, schedule.task_name) == ("greeting", "greeting")


async def test_arguments_go_to_the_function(queue: TaskQueue, drain: Drain) -> None:
    await queue.schedule(greet, "Bob", loud=True, name="g", every=60.0)
    handle = await queue.run_schedule_now("g")

    await drain()

    assert await handle == "HELLO BOB"


async def test_keyword_that_schedule_takes_reaches_the_function_through_a_partial(
    queue: TaskQueue, drain: Drain
) -> None:
    await queue.schedule(partial(named, name="Bob"), name="g", every=60.0)
    handle = await queue.run_schedule_now("g")

    await drain()

    assert await handle == "Bob"


async def test_function_travels_by_value(queue: TaskQueue, drain: Drain) -> None:
    factor = 6
    await queue.schedule(lambda: factor * 7, name="answer", every=60.0)
    handle = await queue.run_schedule_now("answer")

    await drain()

    assert await handle == 42


async def test_options_travel_with_the_schedule(queue: TaskQueue) -> None:
    bound = queue.options(queue="mail", priority=5, tags=["daily"], retry=3, timeout=9.0, key="g")
    await bound.schedule(greet, name="g", every=60.0)

    info = await (await queue.run_schedule_now("g")).info()

    assert info is not None
    assert (info.queue, info.priority, info.tags, info.max_attempts, info.timeout, info.key) == (
        "mail", 5, ("daily",), 3, 9.0, "g"
    )  # fmt: skip


@task(queue="mail")
def post() -> None: ...


async def test_defaults_of_the_function_count(queue: TaskQueue) -> None:
    assert (await queue.schedule(post, every=60.0)).queue == "mail"


async def test_same_call_scheduled_again_goes_on(queue: TaskQueue) -> None:
    first = await queue.schedule(greet, name="g", every=60.0)

    assert await queue.schedule(greet, name="g", every=60) == first


async def test_schedules_outlive_the_queue(path: Path, queue: TaskQueue) -> None:
    schedule = await queue.schedule(greet, name="g", cron="0 8 * * *")
    await queue.close()

    async with TaskQueue(path) as other:
        assert await other.schedules() == [schedule]


async def test_pause_resume_and_unschedule_tell_whether_there_was_one(queue: TaskQueue) -> None:
    await queue.schedule(greet, name="g", every=60.0)

    assert [await act("g") for act in (queue.pause_schedule, queue.resume_schedule, queue.unschedule)] == [True] * 3
    assert [await act("g") for act in (queue.pause_schedule, queue.resume_schedule, queue.unschedule)] == [False] * 3


async def test_resumed_schedule_has_its_next_moment_ahead(queue: TaskQueue) -> None:
    schedule = await queue.schedule(greet, name="g", every=60.0)
    await queue.pause_schedule("g")

    await queue.resume_schedule("g")

    assert await queue.schedules() == [schedule]


async def test_task_run_now_belongs_to_the_schedule(queue: TaskQueue) -> None:
    await queue.schedule(greet, name="g", every=60.0)
    handle = await queue.run_schedule_now("g")

    assert [info.id for info in await queue.list_tasks(TaskQuery(schedule="g"))] == [handle]


async def test_run_now_of_an_unknown_schedule_names_the_known(queue: TaskQueue) -> None:
    await queue.schedule(greet, name="g", every=60.0)

    with pytest.raises(TaskQueueError, match="there is no schedule 'h'; known are g"):
        await queue.run_schedule_now("h")


async def test_inspector_acts_on_schedules_without_their_bytes(path: Path, queue: TaskQueue) -> None:
    schedule = await queue.schedule(greet, name="g", every=60.0)
    async with Inspector(path) as inspector:
        assert await inspector.schedules() == [schedule]
        assert await queue.get_task(await inspector.run_schedule_now("g")) is not None
        assert await inspector.pause_schedule("g") and await inspector.resume_schedule("g")
        assert await inspector.unschedule("g")


@pytest.mark.parametrize("moment", [{"delay": 5.0}])
async def test_option_that_says_when_is_refused(queue: TaskQueue, moment: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match="a schedule itself says when; leave the options eta and delay out"):
        await queue.options(**moment).schedule(greet, every=60.0)


async def test_lambda_needs_a_name(queue: TaskQueue) -> None:
    with pytest.raises(ValidationError, match="a lambda has no name of its own"):
        await queue.schedule(lambda: 1, every=60.0)


async def test_what_cannot_be_scheduled_stores_nothing(queue: TaskQueue) -> None:
    with pytest.raises(ValidationError):
        await queue.schedule(greet, cron="never")
    with pytest.raises(SerializationError):
        await queue.schedule(greet, threading.Lock(), every=60.0)
    with pytest.raises(ValidationError):
        await queue.schedule("greet", every=60.0)  # type: ignore[arg-type]

    assert await queue.schedules() == []
