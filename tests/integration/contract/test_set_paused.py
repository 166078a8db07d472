"""set_paused: a paused lane hands nothing out, to nobody, until it is resumed."""

from contract.builders import claim_all, eventually, make_task, run_one, success
from sitq.backends.base import Backend
from sitq.core import WorkerInfo


async def test_paused_lane_hands_nothing_out(backend: Backend, worker: WorkerInfo) -> None:
    await backend.enqueue([make_task(queue="mail")])

    await backend.set_paused("mail", True)

    assert await claim_all(backend, worker, ["mail"]) == []
    assert await claim_all(backend, worker, None) == []


async def test_lane_paused_before_its_first_task_hands_nothing_out(backend: Backend, worker: WorkerInfo) -> None:
    await backend.set_paused("mail", True)
    await backend.enqueue([make_task(queue="mail")])

    assert await claim_all(backend, worker) == []


async def test_other_lanes_go_on(backend: Backend, worker: WorkerInfo) -> None:
    await backend.enqueue([make_task(queue="mail"), make_task(queue="video")])
    await backend.set_paused("mail", True)

    claims = await claim_all(backend, worker)

    assert [claim.queue for claim in claims] == ["video"]


async def test_resumed_lane_hands_out_again(backend: Backend, worker: WorkerInfo) -> None:
    task = make_task(queue="mail")
    await backend.enqueue([task])
    await backend.set_paused("mail", True)

    await backend.set_paused("mail", False)

    assert [claim.id for claim in await claim_all(backend, worker)] == [task.id]


async def test_pause_leaves_running_tasks_alone(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker, queue="mail")
    await backend.set_paused("mail", True)

    assert await backend.heartbeat(worker, {claim.id: 1}, lease=30.0) == set()
    assert await backend.finish([success(claim)]) == {claim.id}


async def test_pause_is_seen_by_a_twin(backend: Backend, twin: Backend, worker: WorkerInfo) -> None:
    await backend.enqueue([make_task(queue="mail")])
    await backend.set_paused("mail", True)
    while_paused = await claim_all(twin, worker)

    await backend.set_paused("mail", False)

    assert while_paused == []
    assert len(await eventually(lambda: claim_all(twin, worker))) == 1


async def test_pause_and_resume_twice_are_harmless(backend: Backend, worker: WorkerInfo) -> None:
    await backend.enqueue([make_task(queue="mail")])
    for paused in (True, True, False, False):
        await backend.set_paused("mail", paused)

    assert len(await claim_all(backend, worker)) == 1


async def test_paused_lane_does_not_block_lanes_behind_it(backend: Backend, worker: WorkerInfo) -> None:
    task = make_task(queue="video")
    await backend.enqueue([*(make_task(queue="mail", priority=9) for _ in range(200)), task])
    await backend.set_paused("mail", True)

    claims = await backend.claim(worker.id, None, limit=1, lease=30.0)

    assert [claim.id for claim in claims] == [task.id]
