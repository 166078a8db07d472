"""claim: what is handed out, to whom, and what is made cancelled instead."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from contract.builders import (
    HOUR,
    THIS_PYTHON,
    claim_all,
    eventually,
    look_up,
    make_task,
    make_worker,
    register,
    retry,
    run_one,
)
from sitq.backends.base import Backend
from sitq.core import Claim, TaskStatus, WorkerInfo


async def test_claim_makes_the_task_running(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)

    info = await look_up(backend, claim.id)

    assert (info.status, info.attempt, info.worker) == (TaskStatus.RUNNING, 1, worker.id)


async def test_claim_carries_what_the_worker_needs(backend: Backend, worker: WorkerInfo) -> None:
    task = make_task(name="report", queue="mail", timeout=2.5, max_attempts=4, executor="process", meta={"order": 7})
    await backend.enqueue([task])

    (claim,) = await claim_all(backend, worker)

    assert claim == Claim(
        id=task.id,
        attempt=1,
        name="report",
        queue="mail",
        payload=b"payload",
        max_attempts=4,
        timeout=2.5,
        executor="process",
        meta={"order": 7},
    )


async def test_claim_hands_a_task_out_once(backend: Backend, worker: WorkerInfo, other: WorkerInfo) -> None:
    await run_one(backend, worker)

    assert await claim_all(backend, worker) == []
    assert await claim_all(backend, other) == []


async def test_claim_of_an_empty_store_gets_nothing(backend: Backend, worker: WorkerInfo) -> None:
    assert await backend.claim(worker.id, None, limit=10, lease=30.0) == []


async def test_claim_hands_out_no_more_than_the_limit(backend: Backend, worker: WorkerInfo) -> None:
    await backend.enqueue([make_task() for _ in range(5)])

    sizes = [len(await backend.claim(worker.id, None, limit=2, lease=30.0)) for _ in range(4)]

    assert sizes == [2, 2, 1, 0]


async def test_claim_leaves_a_task_before_its_eta(backend: Backend, worker: WorkerInfo) -> None:
    await backend.enqueue([make_task(eta=datetime.now(UTC) + timedelta(hours=1))])

    assert await claim_all(backend, worker) == []


async def test_claim_leaves_a_task_before_its_delay_is_over(backend: Backend, worker: WorkerInfo) -> None:
    await backend.enqueue([make_task(delay=HOUR)])

    assert await claim_all(backend, worker) == []


async def test_claim_hands_a_task_out_once_its_eta_has_come(backend: Backend, worker: WorkerInfo) -> None:
    eta = datetime.now(UTC) + timedelta(seconds=0.1)
    task = make_task(eta=eta)
    await backend.enqueue([task])

    (claim,) = await eventually(lambda: claim_all(backend, worker))

    assert claim.id == task.id
    assert datetime.now(UTC) >= eta - timedelta(milliseconds=2)


async def test_claim_hands_a_task_out_once_its_delay_is_over(backend: Backend, worker: WorkerInfo) -> None:
    task = make_task(delay=0.1)
    await backend.enqueue([task])

    (claim,) = await eventually(lambda: claim_all(backend, worker))

    assert claim.id == task.id


async def test_claim_takes_from_the_lanes_asked_for(backend: Backend, worker: WorkerInfo) -> None:
    await backend.enqueue([make_task(queue=name) for name in ("mail", "video", "default")])

    claims = await claim_all(backend, worker, ["mail", "default"])

    assert {claim.queue for claim in claims} == {"mail", "default"}


async def test_claim_takes_from_all_lanes_unless_asked(backend: Backend, worker: WorkerInfo) -> None:
    await backend.enqueue([make_task(queue=name) for name in ("mail", "video", "default")])

    claims = await claim_all(backend, worker, None)

    assert {claim.queue for claim in claims} == {"mail", "video", "default"}


@pytest.mark.parametrize("queues", [["nobody"], []])
async def test_claim_from_no_known_lane_gets_nothing(backend: Backend, worker: WorkerInfo, queues: list[str]) -> None:
    await backend.enqueue([make_task()])

    assert await claim_all(backend, worker, queues) == []


async def test_claim_knows_lanes_by_their_exact_name(backend: Backend, worker: WorkerInfo) -> None:
    await backend.enqueue([make_task(queue=name) for name in ("Mail", "mail ", "mail%", "m'ail")])

    assert await claim_all(backend, worker, ["mail"]) == []
    assert len(await claim_all(backend, worker, ["m'ail", "Mail"])) == 2


async def test_claim_from_a_lane_that_is_named_twice_hands_each_task_out_once(
    backend: Backend, worker: WorkerInfo
) -> None:
    await backend.enqueue([make_task(), make_task()])

    claims = await backend.claim(worker.id, ["default", "default"], limit=5, lease=30.0)

    assert [claim.attempt for claim in claims] == [1, 1]


async def test_claim_from_two_twins_at_once_hands_each_task_to_one(
    backend: Backend, twin: Backend, worker: WorkerInfo, other: WorkerInfo
) -> None:
    tasks = [make_task() for _ in range(300)]
    await backend.enqueue(tasks)

    ours, theirs = await asyncio.gather(claim_all(backend, worker, limit=7), claim_all(twin, other, limit=7))

    assert sorted(claim.id for claim in [*ours, *theirs]) == [task.id for task in tasks]


async def test_claim_by_many_callers_at_once_hands_each_task_to_one(backend: Backend, worker: WorkerInfo) -> None:
    tasks = [make_task() for _ in range(50)]
    await backend.enqueue(tasks)

    batches = await asyncio.gather(*(claim_all(backend, worker, limit=3) for _ in range(10)))

    assert sorted(claim.id for batch in batches for claim in batch) == [task.id for task in tasks]


async def test_claim_raises_the_attempt_each_time(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    attempts = [claim.attempt]
    for _ in range(3):
        await backend.finish([retry(claim)])
        (claim,) = await claim_all(backend, worker)
        attempts.append(claim.attempt)

    assert attempts == [1, 2, 3, 4]


async def test_claim_makes_a_task_cancelled_whose_time_to_start_has_passed(
    backend: Backend, worker: WorkerInfo
) -> None:
    task = make_task(expires=0.05)
    await backend.enqueue([task])
    await asyncio.sleep(0.1)

    claims = await claim_all(backend, worker)

    info = await look_up(backend, task.id)
    assert claims == []
    assert info.status is TaskStatus.CANCELLED
    assert info.finished_at is not None


async def test_expired_task_says_why_it_was_cancelled(backend: Backend, worker: WorkerInfo) -> None:
    task = make_task(expires=0.05)
    await backend.enqueue([task])
    await asyncio.sleep(0.1)
    await claim_all(backend, worker)

    result = (await backend.results([task.id]))[task.id]

    assert result.error is not None
    assert "expire" in result.error


async def test_expired_tasks_do_not_take_the_place_of_those_behind(backend: Backend, worker: WorkerInfo) -> None:
    task = make_task()
    await backend.enqueue([*(make_task(expires=0.05, priority=9) for _ in range(20)), task])
    await asyncio.sleep(0.1)

    claims = await claim_all(backend, worker, limit=1)

    assert [claim.id for claim in claims] == [task.id]


async def test_claim_hands_a_task_out_within_its_time_to_start(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker, expires=HOUR)

    assert claim.attempt == 1


async def test_claim_never_hands_out_a_cancelled_task(backend: Backend, worker: WorkerInfo) -> None:
    tasks = [make_task(), make_task(delay=0.05)]
    await backend.enqueue(tasks)
    await backend.cancel([task.id for task in tasks])
    await asyncio.sleep(0.1)

    assert await claim_all(backend, worker) == []


async def test_task_put_back_after_its_cancellation_is_cancelled_instead(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    await backend.cancel([claim.id])
    await backend.finish([retry(claim)])

    claims = await claim_all(backend, worker)

    assert claims == []
    assert (await look_up(backend, claim.id)).status is TaskStatus.CANCELLED


async def test_claim_leaves_code_of_another_python_pending(backend: Backend, worker: WorkerInfo) -> None:
    task = make_task(python="2.7")
    await backend.enqueue([task])

    claims = await claim_all(backend, worker)

    info = await look_up(backend, task.id)
    assert claims == []
    assert info.status is TaskStatus.PENDING


async def test_task_left_for_another_python_says_what_it_waits_for(backend: Backend, worker: WorkerInfo) -> None:
    task = make_task(python="2.7")
    await backend.enqueue([task])
    await claim_all(backend, worker)

    assert "Python 2.7" in (await look_up(backend, task.id)).waits_for


async def test_claim_hands_code_of_another_python_to_a_worker_that_has_it(backend: Backend, worker: WorkerInfo) -> None:
    task = make_task(python="2.7")
    await backend.enqueue([task])
    await claim_all(backend, worker)
    veteran = await register(backend, make_worker(python="2.7"))

    claims = await claim_all(backend, veteran)

    assert [claim.id for claim in claims] == [task.id]


async def test_running_task_waits_for_nothing(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker, python=THIS_PYTHON)

    assert (await look_up(backend, claim.id)).waits_for is None


async def test_tasks_of_another_python_do_not_block_those_behind(backend: Backend, worker: WorkerInfo) -> None:
    fitting = [make_task(), make_task(python=THIS_PYTHON)]
    await backend.enqueue([*(make_task(python="2.7", priority=9) for _ in range(300)), *fitting])

    claims = await claim_all(backend, worker, limit=1)

    assert [claim.id for claim in claims] == [task.id for task in fitting]


async def test_worker_that_never_sent_a_heartbeat_gets_nothing(backend: Backend) -> None:
    await backend.enqueue([make_task()])

    assert await claim_all(backend, make_worker()) == []
