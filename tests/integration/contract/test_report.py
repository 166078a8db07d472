"""report and output: what running attempts tell of themselves, under their fence, the newest of it kept."""

import pytest

from contract.builders import claim_all, failure, look_up, lose, retry, run_one, success
from sitq.backends.base import Backend
from sitq.core import Claim, Progress, Report, WorkerInfo


def told(claim: Claim, *texts: str, keep: int | None = None, progress: Progress | None = None) -> Report:
    return Report(claim.id, claim.attempt, progress, tuple(("stdout", text) for text in texts), keep)


async def text_of(backend: Backend, task_id: str) -> str:
    return "".join(chunk.text for chunk in await backend.output(task_id, limit=10_000))


async def test_progress_is_shown_until_the_next(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)

    await backend.report([told(claim, progress=Progress(1, 4, "first"))])
    await backend.report([told(claim, progress=Progress(2))])

    assert (await look_up(backend, claim.id)).progress == Progress(2.0, None, None)


async def test_report_without_progress_leaves_it(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    await backend.report([told(claim, progress=Progress(message="reading"))])

    await backend.report([told(claim, "text")])

    assert (await look_up(backend, claim.id)).progress == Progress(message="reading")


async def test_task_that_told_nothing_has_neither(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)

    assert (await look_up(backend, claim.id)).progress is None
    assert await backend.output(claim.id) == []


async def test_output_is_listed_in_order_with_stream_and_attempt(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)

    await backend.report([Report(claim.id, 1, None, (("stdout", "a"), ("stderr", "b")))])
    await backend.report([told(claim, "c")])

    chunks = await backend.output(claim.id)
    assert [(chunk.stream, chunk.text, chunk.attempt) for chunk in chunks] == [
        ("stdout", "a", 1),
        ("stderr", "b", 1),
        ("stdout", "c", 1),
    ]
    assert [chunk.seq for chunk in chunks] == sorted({chunk.seq for chunk in chunks})


async def test_output_is_listed_by_pages(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    await backend.report([told(claim, *"abcde")])

    first = await backend.output(claim.id, limit=2)
    rest = await backend.output(claim.id, after=first[-1].seq)

    assert ([chunk.text for chunk in first], [chunk.text for chunk in rest]) == (["a", "b"], ["c", "d", "e"])


async def test_tail_is_the_end_of_the_output_in_order(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    await backend.report([told(claim, *"abcde")])

    assert [chunk.text for chunk in await backend.output_tail(claim.id, limit=2)] == ["d", "e"]
    assert len(await backend.output_tail(claim.id, limit=100)) == 5


@pytest.mark.parametrize("text", ["tab\tnewline\n", "nul\x00inside", "\x1b[31mred\x1b[0m", "\r 45%", "日本語 😀"])
async def test_output_is_kept_as_it_was_written(backend: Backend, worker: WorkerInfo, text: str) -> None:
    claim = await run_one(backend, worker)

    await backend.report([told(claim, text)])

    assert await text_of(backend, claim.id) == text


async def test_newest_bytes_are_kept(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    await backend.report([told(claim, *("old " * 10 for _ in range(10)))])

    await backend.report([told(claim, "new " * 10, keep=100)])

    assert await text_of(backend, claim.id) == "old " * 10 + "new " * 10


async def test_bytes_are_counted_and_not_characters(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)

    await backend.report([told(claim, "日" * 10, "月" * 10, keep=40)])

    assert await text_of(backend, claim.id) == "月" * 10


async def test_earlier_attempts_keep_their_output(backend: Backend, worker: WorkerInfo) -> None:
    first = await run_one(backend, worker)
    await backend.report([told(first, "first ")])
    await backend.finish([retry(first)])
    (second,) = await claim_all(backend, worker)

    await backend.report([told(second, "second", keep=6)])

    assert [(chunk.attempt, chunk.text) for chunk in await backend.output(first.id)] == [(1, "first "), (2, "second")]


async def test_report_of_an_ended_attempt_is_ignored(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    await backend.finish([success(claim)])

    await backend.report([told(claim, "late", progress=Progress(1))])

    assert await backend.output(claim.id) == []
    assert (await look_up(backend, claim.id)).progress is None


async def test_report_of_a_lost_claim_is_ignored(backend: Backend, worker: WorkerInfo, other: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    (taken,) = await lose(backend, [claim], worker, other)

    await backend.report([told(claim, "mine"), told(taken, "theirs")])

    assert await text_of(backend, claim.id) == "theirs"


async def test_report_of_an_unknown_task_spoils_no_other(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)

    await backend.report([Report("nobody", 1, Progress(1), (("stdout", "x"),)), told(claim, "known")])

    assert await text_of(backend, claim.id) == "known"


@pytest.mark.parametrize("end", [retry, lambda claim: failure(claim)])
async def test_next_attempt_begins_without_progress(backend: Backend, worker: WorkerInfo, end) -> None:  # type: ignore[no-untyped-def]
    claim = await run_one(backend, worker)
    await backend.report([told(claim, progress=Progress(3, 4))])

    await backend.finish([end(claim)])
    await backend.requeue([claim.id])

    assert (await look_up(backend, claim.id)).progress is None


async def test_ended_task_keeps_its_last_progress(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    await backend.report([told(claim, progress=Progress(3, 4))])

    await backend.finish([failure(claim)])

    assert (await look_up(backend, claim.id)).progress == Progress(3.0, 4.0)


async def test_deleted_task_takes_its_output_along(backend: Backend, worker: WorkerInfo) -> None:
    claim = await run_one(backend, worker)
    await backend.report([told(claim, "text")])
    await backend.finish([success(claim)])

    await backend.delete([claim.id])

    assert await backend.output(claim.id) == []
