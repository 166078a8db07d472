"""What callers hand in while one write is under way goes with the next, and each gets its own answer."""

import asyncio
from collections.abc import Sequence

import pytest

from sitq.backends.batching import Batcher


class Store:
    """Doubles numbers, one batch at a time, and refuses 13."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    async def write(self, requests: list[int]) -> Sequence[int | Exception]:
        self.batches.append(requests)
        await asyncio.sleep(0.001)
        if 99 in requests:
            raise ConnectionError("gone")
        return [ValueError("13") if request == 13 else 2 * request for request in requests]


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def batcher(store: Store) -> Batcher[int, int]:
    return Batcher(store.write, limit=10)


async def test_a_lone_request_goes_alone(store: Store, batcher: Batcher[int, int]) -> None:
    assert await batcher.do(1) == 2
    assert store.batches == [[1]]


async def test_requests_gather_while_one_is_under_way(store: Store, batcher: Batcher[int, int]) -> None:
    first = asyncio.ensure_future(batcher.do(1))
    await asyncio.sleep(0.0005)
    assert await asyncio.gather(*map(batcher.do, (2, 3, 4))) == [4, 6, 8]
    assert await first == 2
    assert store.batches == [[1], [2, 3, 4]]


async def test_a_batch_ends_at_its_limit_of_weight(store: Store, batcher: Batcher[int, int]) -> None:
    await asyncio.gather(batcher.do(1, weight=6), batcher.do(2, weight=5), batcher.do(3, weight=50), batcher.do(4))
    assert store.batches == [[1], [2], [3], [4]]


async def test_one_refusal_is_raised_at_its_caller_only(batcher: Batcher[int, int]) -> None:
    answers = await asyncio.gather(*map(batcher.do, (1, 13, 2)), return_exceptions=True)
    assert answers[0] == 2 and answers[2] == 4
    assert isinstance(answers[1], ValueError)


async def test_a_write_that_fails_fails_for_all_and_the_next_goes_on(batcher: Batcher[int, int]) -> None:
    answers = await asyncio.gather(batcher.do(1), batcher.do(99), return_exceptions=True)
    assert [type(answer) for answer in answers] == [ConnectionError, ConnectionError]
    assert await batcher.do(3) == 6


async def test_a_cancelled_caller_goes_away_alone(store: Store, batcher: Batcher[int, int]) -> None:
    calls = [asyncio.ensure_future(batcher.do(number)) for number in (1, 2)]
    await asyncio.sleep(0.0005)
    calls[0].cancel()
    assert await calls[1] == 4
    assert calls[0].cancelled()
    await batcher.drain()
    assert store.batches == [[1, 2]]
