"""connect, close and twin: opening and letting go are harmless to repeat."""

from contract.builders import claim_all, make_task, register
from sitq.backends.base import Backend


async def test_connect_twice_keeps_what_is_stored(backend: Backend) -> None:
    task = make_task()
    await backend.enqueue([task])

    await backend.connect()

    assert list(await backend.results([task.id])) == [task.id]


async def test_close_twice_is_harmless(backend: Backend) -> None:
    await backend.close()

    await backend.close()


async def test_close_before_connect_is_harmless(backend: Backend) -> None:
    await backend.twin().close()


async def test_twin_sees_what_the_other_stored(backend: Backend, twin: Backend) -> None:
    task = make_task()
    await backend.enqueue([task])
    worker = await register(twin)

    claims = await claim_all(twin, worker)

    assert [claim.id for claim in claims] == [task.id]


async def test_twin_goes_on_when_the_other_closes(backend: Backend) -> None:
    async with backend.twin() as twin:
        task = make_task()
        await twin.enqueue([task])

        await backend.close()

        assert list(await twin.results([task.id])) == [task.id]


async def test_connected_tells_whether_the_store_is_open(backend: Backend) -> None:
    twin = backend.twin()
    told = [twin.connected]
    await twin.connect()
    told.append(twin.connected)
    await twin.close()

    assert [*told, twin.connected] == [False, True, False]
