"""delete: a task goes with all that is kept about it, unless it runs."""

from contract.builders import claim_all, failure, look_up, make_task, retry, run_one, success
from sitq.backends.base import Backend
from sitq.core import TaskStatus, WorkerInfo
from sitq.views import TaskQuery


async def test_delete_removes_what_does_not_run(backend: Backend, worker: WorkerInfo) -> None:
    await backend.enqueue([make_task() for _ in range(3)])
    good, bad, again = await claim_all(backend, worker)
    await backend.finish([success(good), failure(bad), retry(again, delay=60.0)])
    pending = make_task()
    await backend.enqueue([pending])
    ids = {good.id, bad.id, again.id, pending.id}

    assert await backend.delete(ids) == ids
    assert await backend.list_tasks(TaskQuery()) == []


async def test_delete_removes_result_and_attempts(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    await backend.finish([success(claim)])

    await backend.delete([claim.id])

    assert await backend.results([claim.id]) == {}
    assert await backend.attempts(claim.id) == []


async def test_delete_removes_the_payload(backend: Backend, worker: WorkerInfo) -> None:
    task = make_task(payload=b"large" * 100_000)
    await backend.enqueue([task])
    await backend.delete([task.id])

    claim = await run_one(backend, worker, id=task.id, payload=b"small")

    assert claim.payload == b"small"


async def test_task_with_the_id_of_a_deleted_one_starts_anew(backend: Backend, worker: WorkerInfo) -> None:
    first = await run_one(backend, worker)
    await backend.finish([success(first, b"v" * 5000)])
    await backend.delete([first.id])

    claim = await run_one(backend, worker, id=first.id)

    result = (await backend.results([first.id]))[first.id]
    assert (claim.attempt, claim.failures) == (1, 0)
    assert (result.status, result.value) == (TaskStatus.RUNNING, None)


async def test_delete_leaves_a_running_task(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)

    reached = await backend.delete([claim.id])

    assert reached == set()
    assert (await look_up(backend, claim.id)).status is TaskStatus.RUNNING
    assert await backend.finish([success(claim)]) == {claim.id}


async def test_deleted_task_is_never_claimed(backend: Backend, worker: WorkerInfo) -> None:
    task = make_task()
    await backend.enqueue([task])

    await backend.delete([task.id])

    assert await claim_all(backend, worker) == []


async def test_delete_skips_unknown_ids(backend: Backend) -> None:
    task = make_task()
    await backend.enqueue([task])

    assert await backend.delete([task.id, "unknown"]) == {task.id}
    assert await backend.delete([task.id]) == set()


async def test_delete_takes_thousands_at_once(backend: Backend) -> None:
    tasks = [make_task() for _ in range(2000)]
    await backend.enqueue(tasks)

    reached = await backend.delete([task.id for task in tasks])

    assert len(reached) == 2000
    assert (await backend.stats()).count(TaskStatus.PENDING) == 0
