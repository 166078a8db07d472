"""connect, close and twin: opening and letting go are harmless to repeat, and nothing is used where it is not open."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from contract.builders import claim_all, make_task, register
from sitq.backends.base import Backend
from sitq.exceptions import BackendError
from sitq.views import TaskQuery

VERBS: dict[str, Callable[[Backend], Awaitable[object]]] = {
    "enqueue": lambda backend: backend.enqueue([make_task()]),
    "list_tasks": lambda backend: backend.list_tasks(TaskQuery()),
    "wait": lambda backend: backend.wait([], timeout=0.1),
}


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


async def test_connect_by_many_at_once_opens_once(backend: Backend) -> None:
    twin = backend.twin()

    await asyncio.gather(*(twin.connect() for _ in range(10)))

    await twin.enqueue([make_task()])
    await twin.close()
    assert len(await backend.list_tasks(TaskQuery())) == 1


@pytest.mark.parametrize("verb", VERBS)
async def test_verb_before_connect_is_refused(backend: Backend, verb: str) -> None:
    with pytest.raises(BackendError, match="open"):
        await VERBS[verb](backend.twin())


@pytest.mark.parametrize("verb", VERBS)
async def test_verb_after_close_is_refused(backend: Backend, verb: str) -> None:
    await backend.close()

    with pytest.raises(BackendError, match="open"):
        await VERBS[verb](backend)


async def elsewhere(act: Callable[[], Awaitable[object]]) -> None:
    """Do something on an event loop of another thread."""

    async def do() -> None:
        await act()

    await asyncio.to_thread(lambda: asyncio.run(do()))


@pytest.mark.parametrize("verb", VERBS)
async def test_verb_on_another_loop_is_refused_and_the_first_goes_on(backend: Backend, verb: str) -> None:
    with pytest.raises(BackendError, match="loop"):
        await elsewhere(lambda: VERBS[verb](backend))

    await VERBS[verb](backend)


async def test_close_on_another_loop_is_refused_and_leaves_the_store_open(backend: Backend) -> None:
    with pytest.raises(BackendError, match="loop"):
        await elsewhere(backend.close)

    assert await backend.list_tasks(TaskQuery()) == []
