"""What a task costs: messages to the server, counted."""

import asyncio

from contract.builders import claim_all, make_task, register, success

from sitq.backends.nats import NATSBackend


def sent(backend: NATSBackend) -> int:
    return backend._store.connection.link.sent


async def test_a_lone_enqueue_is_one_message(backend: NATSBackend) -> None:
    await backend.enqueue([make_task()])  # notes the lane as well
    before = sent(backend)

    for _ in range(10):
        await backend.enqueue([make_task()])

    assert sent(backend) - before == 10


async def test_many_tasks_of_one_call_are_one_message_each(backend: NATSBackend) -> None:
    await backend.enqueue([make_task()])
    before = sent(backend)

    await backend.enqueue([make_task() for _ in range(300)])

    assert sent(backend) - before == 300


async def test_an_end_is_two_messages(backend: NATSBackend) -> None:
    worker = await register(backend)
    await backend.enqueue([make_task() for _ in range(300)])
    claims = await claim_all(backend, worker, limit=1)
    before = sent(backend)

    await backend.finish([success(claim) for claim in claims])

    assert len(claims) == 300
    assert sent(backend) - before == 2 * 300  # the end, and the tombstone of the open record


async def test_exchange_finishes_and_claims_in_one_trip(backend: NATSBackend) -> None:
    worker = await register(backend)
    await backend.enqueue([make_task() for _ in range(60)])
    claims = await backend.claim(worker.id, None, limit=30, lease=30.0)
    before = sent(backend)

    _, more = await backend.exchange([success(claim) for claim in claims], worker.id, None, limit=30, lease=30.0)

    assert len(more) == 30
    assert sent(backend) - before == 3 * 30


async def test_a_worker_that_waits_sends_nothing(backend: NATSBackend) -> None:
    worker = await register(backend)
    await backend.claim(worker.id, None, limit=1, lease=30.0)
    await backend.wait(["default"], timeout=0.1)
    before = sent(backend)

    await asyncio.gather(*(backend.wait(["default"], timeout=0.5) for _ in range(20)))

    assert sent(backend) - before <= 1  # it may answer the server's question whether it keeps up
