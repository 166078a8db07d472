"""Characters that the server cannot hold as text: written out where people read them, refused in names."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from contract.builders import claim_all, failure, look_up, make_task, register, run_one

from sitq.backends.postgres import PostgresBackend
from sitq.core import Progress, Report
from sitq.exceptions import ValidationError

STRANGE, WRITTEN_OUT = "a\0b\udc80c", "a\\x00b\\udc80c"


@pytest.fixture
async def backend(url: str) -> AsyncIterator[PostgresBackend]:
    async with PostgresBackend(url) as backend:
        yield backend


async def test_strange_characters_in_an_error_are_written_out(backend: PostgresBackend) -> None:
    claim = await run_one(backend, await register(backend))

    accepted = await backend.finish([failure(claim)._replace(error=STRANGE, traceback=STRANGE)])

    result = (await backend.results([claim.id]))[claim.id]
    assert accepted == {claim.id}
    assert (result.error, result.traceback) == (WRITTEN_OUT, WRITTEN_OUT)


async def test_strange_characters_in_names_arguments_and_progress_are_written_out(backend: PostgresBackend) -> None:
    claim = await run_one(backend, await register(backend), name=STRANGE, arguments=STRANGE)

    await backend.report([Report(claim.id, 1, Progress(1, 2, STRANGE))])

    info = await look_up(backend, claim.id)
    assert info.progress is not None
    assert (info.name, info.arguments, info.progress.message) == (WRITTEN_OUT,) * 3


async def test_strange_characters_in_facts_are_kept(backend: PostgresBackend) -> None:
    claim = await run_one(backend, await register(backend), meta={"file": STRANGE})

    assert claim.meta == {"file": STRANGE}


@pytest.mark.parametrize("field", ["id", "queue", "key"])
async def test_nul_in_what_names_something_is_refused_and_harms_no_neighbour(
    backend: PostgresBackend, field: str
) -> None:
    neighbours = [make_task() for _ in range(3)]
    refused = make_task(**{field: "a\0b"})

    answers = await asyncio.gather(
        *(backend.enqueue([task]) for task in [refused, *neighbours]), return_exceptions=True
    )

    assert isinstance(answers[0], ValidationError)
    assert "NUL" in str(answers[0])
    claims = await claim_all(backend, await register(backend))
    assert [claim.id for claim in claims] == [task.id for task in neighbours]
