"""What a store leaves behind: nothing of a task that was deleted, and nothing that was cut short stays wrong."""

from contract.builders import claim_all, eventually, look_up, make_task, register, retry, run_one, success

from sitq.backends.nats import NATSBackend
from sitq.backends.nats.connection import Write
from sitq.backends.nats.endings import by_outcome
from sitq.core import Cause, Outcome, Progress, Report, TaskStatus


async def subjects_of(backend: NATSBackend, task_id: str) -> list[str]:
    store = backend._store
    found = await store.connection.scan_all(f"{store.subjects.prefix}.>")
    return [message.subject for message in found if task_id in message.subject]


async def test_nothing_is_left_of_a_deleted_task(backend: NATSBackend) -> None:
    worker = await register(backend)
    claim = await run_one(backend, worker, payload=b"p" * 5000, key="k")
    await backend.report([Report(claim.id, 1, Progress(1), (("stdout", "text"),))])
    await backend.finish([retry(claim)])
    (claim,) = await claim_all(backend, worker)
    await backend.finish([success(claim, b"v" * 5000)])

    await backend.delete([claim.id])

    left = [subject for subject in await subjects_of(backend, claim.id) if ".open." not in subject]
    assert left == []  # the tombstone of the open record goes by itself


async def test_end_that_was_cut_short_is_put_right(backend: NATSBackend) -> None:
    """The worker died between writing an end and taking the open record away."""
    worker, other = await register(backend), await register(backend)
    claim = await run_one(backend, worker)
    store = backend._store
    record = store.replica.shelf.open[claim.id]
    await store.connection.write([_end_alone(backend, claim.id)])

    await backend.heartbeat(worker, {}, lease=0.01)

    async def is_settled() -> bool:
        assert await claim_all(backend, other) == []
        return claim.id not in store.replica.shelf.open

    assert await eventually(is_settled)
    assert record.status is TaskStatus.RUNNING
    assert (await look_up(backend, claim.id)).status is TaskStatus.SUCCESS


def _end_alone(backend: NATSBackend, task_id: str) -> Write:
    """The message that ends a task, without what follows it."""
    store = backend._store
    record = store.replica.shelf.open[task_id]
    outcome = Outcome(task_id, 1, "default", TaskStatus.SUCCESS, Cause.SUCCESS, value=b"1")
    return store.write_of(by_outcome(store, record, outcome))


async def test_pending_task_whose_end_was_cut_short_is_not_claimed(backend: NATSBackend) -> None:
    worker = await register(backend)
    await backend.claim(worker.id, None, limit=1, lease=30.0)
    task = make_task()
    await backend.enqueue([task])
    await backend._store.connection.write([_end_alone(backend, task.id)])

    async def is_settled() -> bool:
        assert await claim_all(backend, worker) == []
        return task.id not in backend._store.replica.shelf.open

    assert await eventually(is_settled)
    assert (await look_up(backend, task.id)).status is TaskStatus.SUCCESS
