"""A recorder: the newest of what an attempt tells, in bounded memory, from any thread."""

import threading
from collections.abc import Callable

import pytest

from sitq.core import Claim, Progress
from sitq.running.reporting import Recorder

CLAIM = Claim(id="1a", attempt=2, name="train", queue="default", payload=b"")


@pytest.fixture
def notes() -> list[Recorder]:
    return []


@pytest.fixture
def new(notes: list[Recorder]) -> Callable[..., Recorder]:
    def new(limit: int = 1000) -> Recorder:
        return Recorder(CLAIM, limit, notes.append)

    return new


def text_of(recorder: Recorder) -> str:
    report = recorder.take()
    return "" if report is None else "".join(text for _, text in report.output)


def test_report_names_its_attempt(new: Callable[..., Recorder]) -> None:
    recorder = new()
    recorder.progress(1, 2, None)

    report = recorder.take()

    assert report is not None
    assert (report.id, report.attempt, report.progress) == ("1a", 2, Progress(1, 2))


def test_nothing_new_is_no_report(new: Callable[..., Recorder]) -> None:
    recorder = new()
    recorder.progress(1, 2, None)
    recorder.take()

    assert recorder.take() is None


def test_only_the_newest_progress_is_told(new: Callable[..., Recorder]) -> None:
    recorder = new()
    for done in range(5):
        recorder.progress(done, 5, None)

    report = recorder.take()

    assert report is not None and report.progress == Progress(4, 5)


def test_news_are_announced_once_until_they_are_taken(new: Callable[..., Recorder], notes: list[Recorder]) -> None:
    recorder = new()
    recorder.progress(1, None, None)
    recorder.write("stdout", "text")
    recorder.take()
    recorder.write("stdout", "more")

    assert notes == [recorder, recorder]


def test_writes_of_one_stream_are_joined(new: Callable[..., Recorder]) -> None:
    recorder = new()
    for text in ("a", "b"):
        recorder.write("stdout", text)
    recorder.write("stderr", "c")
    recorder.write("stdout", "d")

    report = recorder.take()

    assert report is not None
    assert report.output == (("stdout", "ab"), ("stderr", "c"), ("stdout", "d"))


def test_chunks_are_bounded(new: Callable[..., Recorder]) -> None:
    recorder = new(limit=10**6)
    for _ in range(3000):
        recorder.write("stdout", "x" * 100)

    report = recorder.take()

    assert report is not None
    assert len(report.output) > 1
    assert max(len(text) for _, text in report.output) <= 65_536


def test_memory_is_bounded_and_the_newest_stays(new: Callable[..., Recorder]) -> None:
    recorder = new(limit=100_000)
    for number in range(100_000):
        recorder.write("stdout", f"line {number}\n")

    text = text_of(recorder)

    assert len(text) <= 100_000 + 65_536
    assert text.endswith("line 99999\n")


def test_one_long_text_is_cut_to_its_end(new: Callable[..., Recorder]) -> None:
    recorder = new(limit=10)
    recorder.write("stdout", "x" * 100 + "the end")

    assert text_of(recorder) == "xxxthe end"


def test_store_is_asked_to_trim_only_now_and_then(new: Callable[..., Recorder]) -> None:
    recorder = new(limit=800)
    keeps = []
    for _ in range(20):
        recorder.write("stdout", "x" * 50)
        report = recorder.take()
        assert report is not None
        keeps.append(report.keep)

    assert keeps == [None] * 17 + [800, None, 800]


def test_lone_surrogates_are_escaped(new: Callable[..., Recorder]) -> None:
    recorder = new()
    recorder.write("stdout", "bad \udcff name")

    assert text_of(recorder) == "bad \\udcff name"


def test_threads_lose_nothing(new: Callable[..., Recorder]) -> None:
    recorder = new(limit=10**6)
    taken: list[str] = []
    threads = [threading.Thread(target=lambda: [recorder.write("stdout", "x") for _ in range(5000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        taken.append(text_of(recorder))
    taken.append(text_of(recorder))

    assert len("".join(taken)) == 20_000


@pytest.mark.parametrize(
    ("text", "progress"),
    [
        ("\r 45%|####5     | 45/100 [00:01<00:02, 30.12it/s]", Progress(45.0, 100.0)),
        ("\rreading: 100%|##########| 3/3 [00:00<00:00]\n", Progress(3.0, 3.0, "reading")),
        ("\r 0%|   | 0/9 [00:00<?]\r 11%|#  | 1/9 [00:01<00:08]", Progress(1.0, 9.0)),
        ("\rjust a line that is drawn anew", None),
        ("45%|#| 45/100 [x]", None),
    ],
)
def test_bars_of_tqdm_are_read(new: Callable[..., Recorder], text: str, progress: Progress | None) -> None:
    recorder = new()
    recorder.write("stderr", text)

    report = recorder.take()

    assert report is not None and report.progress == progress
