"""Tees around stdout and stderr: all passes through, and only what a task writes is copied."""

import contextlib
import contextvars
import io
import logging
import sys
from collections.abc import Iterator

import pytest

from sitq import context
from sitq.context import TaskContext
from sitq.running.streams import Capture, Tee


class Heard:
    """Takes what a task writes."""

    def __init__(self) -> None:
        self.texts: list[tuple[str, str]] = []

    def progress(self, done: float | None, total: float | None, message: str | None) -> None:
        raise AssertionError("nobody reported progress")

    def write(self, stream: str, text: str) -> None:
        self.texts.append((stream, text))


@pytest.fixture
def capture(capsys: pytest.CaptureFixture[str]) -> Iterator[Capture]:
    capture = Capture()
    capture.begin()
    yield capture
    capture.end()


def in_task(heard: Heard, function, *args: object) -> None:  # type: ignore[no-untyped-def]
    def run() -> None:
        context.enter(TaskContext("1a", 1, "task", reporter=heard))
        function(*args)

    contextvars.copy_context().run(run)


def test_what_a_task_prints_is_copied_and_shown(capture: Capture, capsys: pytest.CaptureFixture[str]) -> None:
    heard = Heard()
    capture.renew()  # pytest puts a stream of its own for each phase of a test

    in_task(heard, print, "hello")

    assert "".join(text for _, text in heard.texts) == "hello\n"
    assert capsys.readouterr().out == "hello\n"


def test_what_others_print_is_only_shown() -> None:
    heard, shown = Heard(), io.StringIO()

    Tee(shown, "stdout").write("hello")

    assert (heard.texts, shown.getvalue()) == ([], "hello")


def test_tee_is_the_stream_in_all_else() -> None:
    tee = Tee(sys.__stdout__, "stdout")

    assert sys.__stdout__ is not None
    assert (tee.encoding, tee.fileno(), tee.isatty()) == (
        sys.__stdout__.encoding,
        sys.__stdout__.fileno(),
        sys.__stdout__.isatty(),
    )


def test_tees_go_with_the_last_worker() -> None:
    before, capture = sys.stdout, Capture()
    capture.begin()
    capture.begin()
    capture.end()
    assert isinstance(sys.stdout, Tee)

    capture.end()

    assert sys.stdout is before


def test_stream_that_was_put_on_top_stays() -> None:
    capture, mine = Capture(), io.StringIO()
    capture.begin()

    with contextlib.redirect_stdout(mine):
        capture.end()
        assert sys.stdout is mine

    assert isinstance(sys.stdout, Tee)  # what redirect_stdout had found; it passes all through
    sys.stdout = sys.stdout._stream


def test_log_handler_from_before_counts_as_writing() -> None:
    logger, heard, capture = logging.getLogger("test_streams"), Heard(), Capture()
    handler = logging.StreamHandler()
    logger.addHandler(handler)
    capture.begin()

    in_task(heard, logger.warning, "careful")
    capture.end()
    logger.removeHandler(handler)

    assert heard.texts[0] == ("stderr", "careful\n")
    assert handler.stream is sys.stderr


def test_tees_are_put_again_where_somebody_has_put_a_stream() -> None:
    capture, mine, heard = Capture(), io.StringIO(), Heard()
    capture.begin()

    with contextlib.redirect_stdout(mine):
        capture.renew()
        in_task(heard, print, "hello")
    capture.end()

    assert (mine.getvalue(), heard.texts[0]) == ("hello\n", ("stdout", "hello"))
    assert not isinstance(sys.stdout, Tee)


def test_program_without_a_console_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    capture = Capture()

    capture.begin()
    capture.end()

    assert sys.stdout is None
