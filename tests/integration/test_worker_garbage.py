"""Bytes that no producer of ours wrote: each ends its own task with one clear line, and the worker goes on."""

import asyncio
import operator
from collections.abc import Callable

import pytest
from contract.builders import make_task, register, success
from hypothesis import given
from hypothesis import strategies as st

from sitq.backends.sqlite import MemoryBackend
from sitq.core import TaskStatus
from sitq.exceptions import SerializationError
from sitq.queue import TaskQueue
from sitq.serialization import CallSerializer, CloudpickleSerializer, JsonSerializer, SignedSerializer
from sitq.worker import Worker

MAKERS: dict[str, Callable[[], CallSerializer]] = {
    "cloudpickle": CloudpickleSerializer,
    "json": JsonSerializer,
    "signed": lambda: SignedSerializer(None, b"k" * 16),
}
ENVELOPE = 5  # bytes before the serializer's name
HOSTILE = (
    "[" * 100_000,
    '{"a":' * 50_000,
    "9" * 10_000,
    "NaN",
    '["os.nothing", [], {}, null, []]',
    '"\ud800"',
    "[1e999]",
)


def call_of(serializer: CallSerializer) -> bytes:
    return serializer.dumps_call(operator.add, (1, 2), {})


def mutations_of(call: bytes, *, flips: int) -> st.SearchStrategy[bytes]:
    """Cut, changed and replaced bytes. Behind its envelope a pickle is not changed: it may ask for any memory."""
    head = call[:flips]
    changed = st.tuples(st.integers(0, len(head) - 1), st.integers(0, 255)).map(
        lambda change: call[: change[0]] + bytes((change[1],)) + call[change[0] + 1 :]
    )
    headers = st.tuples(st.binary(min_size=ENVELOPE, max_size=ENVELOPE), st.binary(max_size=40)).map(b"".join)
    return st.one_of(
        st.binary(max_size=60), st.integers(0, len(call) - 1).map(lambda end: call[:end]), changed, headers
    )


def garbage_for(name: str) -> st.SearchStrategy[bytes]:
    call = call_of(MAKERS[name]())
    if name != "json":
        return mutations_of(call, flips=len(call) if name == "signed" else ENVELOPE + len(name))
    header = call[: ENVELOPE + len(name)]
    hostile = st.sampled_from(HOSTILE).map(lambda text: header + text.encode("utf-8", "surrogatepass"))
    return st.one_of(
        mutations_of(call, flips=len(call)), hostile, st.binary(max_size=60).map(lambda body: header + body)
    )


async def run(payloads: list[bytes], serializer: CallSerializer) -> None:
    async with TaskQueue(MemoryBackend(), serializer) as queue:
        spoiled = await queue.backend.enqueue([make_task(payload=payload) for payload in payloads])
        healthy = await queue.enqueue(operator.add, 3, 4)
        await Worker(queue.backend, serializer).run_until_empty(20.0)

        assert await healthy == 7
        for result in (await queue.backend.results(spoiled)).values():
            assert result.status in (TaskStatus.SUCCESS, TaskStatus.FAILED)
            assert "\n" not in (result.error or "")
            assert len(result.error or "") < 1000


@pytest.mark.parametrize("name", MAKERS)
def test_spoiled_payloads_fail_alone(name: str) -> None:
    @given(payloads=st.lists(garbage_for(name), min_size=1, max_size=15))
    def check(payloads: list[bytes]) -> None:
        asyncio.run(run(payloads, MAKERS[name]()))

    check()


async def read(value: bytes, serializer: CallSerializer) -> None:
    async with TaskQueue(MemoryBackend(), serializer) as queue:
        worker = await register(queue.backend)
        (task_id,) = await queue.backend.enqueue([make_task()])
        (claim,) = await queue.backend.claim(worker.id, None, limit=1, lease=30.0)
        await queue.backend.finish([success(claim, value)])
        result = await queue.get_result(task_id, timeout=1.0)
        assert result is not None
        try:
            queue.deserialize_result(result)
        except SerializationError as exc:
            assert "\n" not in str(exc)
            assert len(str(exc)) < 1000


@pytest.mark.parametrize("name", MAKERS)
def test_spoiled_values_are_refused_in_one_line(name: str) -> None:
    @given(value=garbage_for(name))
    def check(value: bytes) -> None:
        asyncio.run(read(value, MAKERS[name]()))

    check()
