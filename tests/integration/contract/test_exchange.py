"""exchange: finish and claim in one step."""

from contract.builders import claim_all, look_up, make_task, retry, run_one, success
from sitq.backends.base import Backend
from sitq.core import TaskStatus, WorkerInfo


async def test_exchange_finishes_and_claims(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    task = make_task()
    await backend.enqueue([task])

    accepted, claims = await backend.exchange([success(claim)], worker.id, None, limit=5, lease=30.0)

    assert accepted == {claim.id}
    assert [claim.id for claim in claims] == [task.id]
    assert (await look_up(backend, claim.id)).status is TaskStatus.SUCCESS


async def test_exchange_of_nothing_claims(backend: Backend, worker: WorkerInfo) -> None:
    task = make_task()
    await backend.enqueue([task])

    accepted, claims = await backend.exchange([], worker.id, None, limit=1, lease=30.0)

    assert accepted == set()
    assert [claim.id for claim in claims] == [task.id]


async def test_exchange_with_limit_0_claims_nothing(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    await backend.enqueue([make_task()])

    accepted, claims = await backend.exchange([success(claim)], worker.id, None, limit=0, lease=30.0)

    assert (accepted, claims) == ({claim.id}, [])


async def test_exchange_claims_although_outcomes_are_refused(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    await backend.finish([success(claim)])
    task = make_task()
    await backend.enqueue([task])

    accepted, claims = await backend.exchange([retry(claim)], worker.id, None, limit=5, lease=30.0)

    assert accepted == set()
    assert [claim.id for claim in claims] == [task.id]


async def test_exchange_keeps_to_lanes_and_limit(backend: Backend, worker: WorkerInfo) -> None:
    await backend.enqueue([make_task(queue=queue) for queue in ("mail", "video", "mail", "mail")])

    _, claims = await backend.exchange([], worker.id, ["mail"], limit=2, lease=30.0)

    assert [claim.queue for claim in claims] == ["mail", "mail"]


async def test_exchange_by_an_unregistered_worker_still_finishes(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    await backend.enqueue([make_task()])

    accepted, claims = await backend.exchange([success(claim)], "nobody", None, limit=5, lease=30.0)

    assert (accepted, claims) == ({claim.id}, [])
    assert len(await claim_all(backend, worker)) == 1
