"""An event loop on a thread of its own: calls from blocking code, their errors, and its end."""

import asyncio
import ctypes
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from sitq._portal import Portal


@pytest.fixture
def portal() -> Iterator[Portal]:
    portal = Portal("test-portal")
    portal.start()
    yield portal
    portal.stop()


def own_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "test-portal"]


async def facts() -> tuple[str, bool]:
    thread = threading.current_thread()
    return thread.name, thread.daemon


async def fail() -> None:
    raise LookupError("no")


def test_call_runs_on_a_daemon_thread_of_its_own(portal: Portal) -> None:
    assert portal.call(facts()) == ("test-portal", True)


def test_calls_share_one_loop(portal: Portal) -> None:
    async def loop() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    assert portal.call(loop()) is portal.call(loop()) is portal.loop


def test_error_arrives_at_the_caller(portal: Portal) -> None:
    with pytest.raises(LookupError, match="no"):
        portal.call(fail())


def test_portal_goes_on_after_an_error(portal: Portal) -> None:
    with pytest.raises(LookupError):
        portal.call(fail())

    assert portal.call(asyncio.sleep(0, "still here")) == "still here"


def test_threads_call_at_once(portal: Portal) -> None:
    with ThreadPoolExecutor(8) as pool:
        begun = time.monotonic()
        values = list(pool.map(lambda number: portal.call(asyncio.sleep(0.1, number)), range(8)))

    assert values == list(range(8))
    assert time.monotonic() - begun < 0.5


def test_call_on_its_own_thread_is_refused(portal: Portal) -> None:
    async def call_again() -> None:
        portal.call(asyncio.sleep(0))

    with pytest.raises(RuntimeError, match="would wait for itself"):
        portal.call(call_again())


def test_call_before_the_start_is_refused() -> None:
    with pytest.raises(RuntimeError, match=r"portal test-portal is not running; start\(\) it first"):
        Portal("test-portal").call(asyncio.sleep(0))


def test_call_after_the_stop_is_refused(portal: Portal) -> None:
    portal.stop()

    with pytest.raises(RuntimeError, match="is not running"):
        portal.call(asyncio.sleep(0))


def test_starting_twice_is_harmless(portal: Portal) -> None:
    portal.start()

    assert len(own_threads()) == 1


def test_threads_that_start_it_at_once_start_it_once() -> None:
    for _ in range(20):
        portal = Portal("test-portal")
        together = threading.Barrier(8)

        def start(portal: Portal = portal, together: threading.Barrier = together) -> None:
            together.wait()
            portal.start()

        with ThreadPoolExecutor(8) as pool:
            for _ in range(8):
                pool.submit(start)
        assert len(own_threads()) == 1
        portal.stop()


def test_stopping_ends_the_thread(portal: Portal) -> None:
    portal.stop()

    assert not portal.running
    assert own_threads() == []


def test_stopping_twice_is_harmless(portal: Portal) -> None:
    portal.stop()
    portal.stop()


def test_stopping_before_the_start_is_harmless() -> None:
    Portal("test-portal").stop()


def test_stopped_portal_starts_again(portal: Portal) -> None:
    portal.stop()
    portal.start()

    assert portal.call(asyncio.sleep(0, 1)) == 1


def test_stopping_cancels_what_runs(portal: Portal) -> None:
    ends: list[str] = []

    async def run() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ends.append("cleaned up")

    async def begin() -> None:
        tasks.add(asyncio.create_task(run()))
        await asyncio.sleep(0)

    tasks: set[asyncio.Task[None]] = set()
    portal.call(begin())
    portal.stop()

    assert ends == ["cleaned up"]


def test_stopping_lets_a_waiting_caller_go(portal: Portal) -> None:
    ended = threading.Event()

    def wait() -> None:
        try:
            portal.call(asyncio.sleep(60))
        except BaseException:
            ended.set()

    threading.Thread(target=wait, daemon=True).start()
    time.sleep(0.1)
    portal.stop()

    assert ended.wait(2.0)


class Interrupt(BaseException):
    """Stands for Ctrl-C in the thread that waits."""


def interrupt(thread: int) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(Interrupt))


def test_interrupted_call_is_cancelled(portal: Portal) -> None:
    cancelled = threading.Event()

    async def run() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    threading.Timer(0.1, interrupt, [threading.get_ident()]).start()
    with pytest.raises(Interrupt):
        portal.call(run())

    assert cancelled.wait(2.0)
