"""tasks: what was enqueued comes back as it was, payload included."""

from contract.builders import HOUR, cancellation, failure, make_task, run_one
from sitq.backends.base import Backend
from sitq.core import Task, WorkerInfo

ALL_FIELDS = {
    "queue": "mail",
    "priority": 7,
    "expires": 90.5,
    "timeout": 2.5,
    "max_attempts": 4,
    "key": "the only one",
    "python": "3.9",
    "executor": "loop",
    "retention": HOUR,
    "tags": ("one", "two"),
    "meta": {"order": 7},
    "arguments": "'ada', times=2",
}


async def enqueued(backend: Backend, **overrides: object) -> Task:
    task = make_task(**overrides)
    await backend.enqueue([task])
    return task


async def test_tasks_come_back_with_all_that_they_were_given(backend: Backend) -> None:
    task = await enqueued(backend, **ALL_FIELDS)

    assert await backend.tasks([task.id]) == {task.id: task}


async def test_tasks_come_back_with_their_defaults(backend: Backend) -> None:
    task = await enqueued(backend)

    assert await backend.tasks([task.id]) == {task.id: task}


async def test_tasks_have_long_payloads_too(backend: Backend) -> None:
    task = await enqueued(backend, payload=bytes(range(256)) * 1000)

    assert (await backend.tasks([task.id]))[task.id].payload == task.payload


async def test_tasks_leave_unknown_ids_out(backend: Backend) -> None:
    task = await enqueued(backend)

    assert set(await backend.tasks([task.id, "nobody"])) == {task.id}
    assert await backend.tasks([]) == {}


async def test_tasks_keep_the_payload_when_they_have_ended(backend: Backend, worker: WorkerInfo) -> None:
    failed = await run_one(backend, worker, payload=b"the call")
    stopped = await run_one(backend, worker, payload=b"x" * 5000)
    await backend.finish([failure(failed), cancellation(stopped)])

    found = await backend.tasks([failed.id, stopped.id])

    assert (found[failed.id].payload, found[stopped.id].payload) == (b"the call", b"x" * 5000)


async def test_tasks_do_not_tell_when_they_were_due(backend: Backend) -> None:
    task = await enqueued(backend, delay=HOUR)

    assert await backend.tasks([task.id]) == {task.id: task._replace(delay=0.0)}
