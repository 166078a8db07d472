"""reading: records become rows, and no string goes on as it came."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sitq.core import Cause, Progress, TaskStatus, WorkerInfo
from sitq.views import Attempt, OutputChunk, QueueStats, Stats, TaskInfo
from sitq_monitor.reading import counts_of, detail_of, row_of

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
EVIL = "job\x1b]52;c;UFdORUQ=\x07\u202e\x9b"


def make_info(**overrides: Any) -> TaskInfo:
    facts: dict[str, Any] = {
        "id": "0199aaaabbbbccccdddd11112222",
        "name": "send_mail",
        "queue": "mail",
        "status": TaskStatus.PENDING,
        "priority": 0,
        "attempt": 0,
        "max_attempts": 3,
        "failures": 0,
        "crashes": 0,
        "enqueued_at": NOW - timedelta(minutes=5),
        "due_at": NOW - timedelta(minutes=5),
    }
    return TaskInfo(**(facts | overrides))


def make_attempt(number: int, **overrides: Any) -> Attempt:
    facts: dict[str, Any] = {"task_id": "a", "attempt": number, "worker": "w", "started_at": NOW, "cause": Cause.ERROR}
    return Attempt(**(facts | overrides))


def texts_in(record: object) -> list[str]:
    """All that is drawn of a record: every string but the id, through all that it holds."""
    if isinstance(record, str):
        return [record]
    if isinstance(record, tuple):
        return [text for item in record for text in texts_in(item)]
    if hasattr(record, "__dataclass_fields__"):
        return [
            text for field in fields(record) if field.name != "id" for text in texts_in(getattr(record, field.name))
        ]
    return []


def test_every_text_of_a_task_is_cleaned() -> None:
    info = make_info(
        id=EVIL,
        name=EVIL,
        queue=EVIL,
        key=EVIL,
        worker=EVIL,
        executor=EVIL,
        waits_for=EVIL,
        arguments=EVIL,
        error=EVIL,
        tags=(EVIL,),
        meta={EVIL: [EVIL]},
        status=TaskStatus.FAILED,
    )
    attempt = make_attempt(1, worker=EVIL, error=EVIL, traceback=f"{EVIL}\n{EVIL}")

    texts = texts_in(detail_of(info, [attempt], NOW))

    assert sum("␛" in text for text in texts) >= 12
    assert all(text.replace("\n", "").isprintable() for text in texts)


def test_id_is_kept_as_it_is_for_acting() -> None:
    assert row_of(make_info(id=EVIL), NOW).id == EVIL


def test_label_is_the_end_of_the_id() -> None:
    assert row_of(make_info(), NOW).label == "11112222"


@pytest.mark.parametrize(
    ("status", "note", "is_error"),
    [
        (TaskStatus.FAILED, "ValueError: no", True),
        (TaskStatus.PENDING, "(1, 2)", False),
        (TaskStatus.CANCELLED, "ValueError: no", True),
        (TaskStatus.SUCCESS, "(1, 2)", False),
        (TaskStatus.RUNNING, "(1, 2)", False),
    ],
)
def test_note_is_the_error_in_force_or_else_the_arguments(status: TaskStatus, note: str, is_error: bool) -> None:
    row = row_of(make_info(status=status, arguments="(1, 2)", error="ValueError: no\nmore"), NOW)

    assert (row.note, row.note_is_error) == (note, is_error)


def test_note_of_a_task_that_is_tried_again_is_its_error() -> None:
    row = row_of(make_info(attempt=1, failures=1, error="ValueError: no"), NOW)

    assert (row.phase, row.note) == ("retrying", "ValueError: no")


def test_phase_is_the_finer_name_of_the_status() -> None:
    assert row_of(make_info(due_at=NOW + timedelta(hours=1)), NOW).phase == "scheduled"


def test_traceback_is_that_of_the_last_attempt_that_has_one() -> None:
    attempts = [
        make_attempt(1, traceback="first"),
        make_attempt(2, traceback="second"),
        make_attempt(3, cause=None),
    ]

    detail = detail_of(make_info(status=TaskStatus.RUNNING), attempts, NOW)

    assert (detail.traceback, detail.traceback_of) == ("second", 2)
    assert [attempt.cause for attempt in detail.attempts] == ["error", "error", "running"]


def test_facts_leave_out_what_is_not_set() -> None:
    detail = detail_of(make_info(priority=5, tags=("eu", "night"), timeout=1.5), [], NOW)

    assert detail.facts == (
        ("queue", "mail · priority 5"),
        ("attempt", "none of 3 yet"),
        ("timeout", "1.5 s"),
        ("tags", "eu, night"),
    )


def test_meta_that_is_no_json_is_still_shown() -> None:
    detail = detail_of(make_info(meta={"at": NOW}), [], NOW)

    assert dict(detail.facts)["meta"] == '{"at": "2026-03-01 12:00:00+00:00"}'


def test_counts_add_the_lanes_up() -> None:
    alive, dead = (
        WorkerInfo(
            id="w",
            host="h",
            pid=1,
            process="",
            queues=None,
            max_concurrency=1,
            python="3.12",
            started_at=NOW,
            alive=alive,
        )
        for alive in (True, False)
    )
    stats = Stats(
        queues=(QueueStats(queue="a", failed=2), QueueStats(queue="b", failed=3, pending=1)), workers=(alive, dead)
    )

    counts = counts_of(stats)

    assert (counts.of(TaskStatus.FAILED), counts.of(None), counts.alive) == (5, 6, 1)


def chunk(text: str, attempt: int = 1) -> OutputChunk:
    return OutputChunk(1, attempt, "stdout", NOW, text)


def test_detail_ends_with_what_the_last_attempt_wrote() -> None:
    output = [chunk("first attempt\n"), *(chunk(f"line {number}\n", 2) for number in range(50))]

    detail = detail_of(make_info(), [], NOW, output)

    assert detail.output.splitlines() == [f"line {number}" for number in range(30, 50)]


def test_bar_that_was_drawn_anew_shows_its_last_state() -> None:
    detail = detail_of(make_info(), [], NOW, [chunk("start\n\r 10%|#\r 90%|#########")])

    assert detail.output == "start\n 90%|#########"


def test_escape_sequences_in_output_are_pictures() -> None:
    assert detail_of(make_info(), [], NOW, [chunk("\x1b[31mred\x07")]).output == "␛[31mred␇"


@pytest.mark.parametrize(
    ("progress", "note"),
    [
        (Progress(12, 200, "epoch"), "epoch · 12 of 200 · 6%"),
        (Progress(3, None, None), "3"),
        (Progress(None, None, "reading"), "reading"),
    ],
)
def test_running_row_tells_its_progress(progress: Progress, note: str) -> None:
    row = row_of(make_info(status=TaskStatus.RUNNING, arguments="1, 2", progress=progress), NOW)

    assert row.note == note


def test_ended_row_tells_its_arguments_again() -> None:
    row = row_of(make_info(status=TaskStatus.SUCCESS, arguments="1, 2", progress=Progress(2, 2)), NOW)

    assert row.note == "1, 2"
