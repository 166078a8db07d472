"""The whole screen as text, at each size, beside the files of `pictures/`.

Where a picture is to be another, run once with `SITQ_DRAW=1`, and read what has changed.
"""

import os
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from monitor_pilot import press, settle
from monitor_rows import NOW, Still, make_app, make_queue, make_row, make_worker, screen_lines
from textual.color import Color

from sitq.core import TaskStatus
from sitq.sanitize import Clean
from sitq_monitor.model import BARS, Pulse, Spread
from sitq_monitor.widgets.paint import paint

PICTURES = Path(__file__).parent / "pictures"
SIZES = {"small": (60, 15), "narrow": (80, 24), "wide": (160, 45)}
PLACES = {
    "list": [],
    "task": ["5", "enter"],
    "workers": ["w"],
    "queues": ["Q"],
    "filter": ["slash", *"queue:mail invoice", "enter"],
    "question": ["asterisk", "R"],
    "help": ["question_mark"],
}


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def shop() -> Still:
    """A small store in which everything can be seen."""
    mail = {"name": Clean("shop.mail.send_invoice"), "queue": Clean("mail")}
    source = Still(
        [
            make_row(996, **mail),
            make_row(995, phase=Clean("scheduled"), name=Clean("shop.files.clean_up")),
            make_row(990, TaskStatus.RUNNING, name=Clean("train_model"), queue=Clean("gpu")),
            make_row(980, phase=Clean("retrying"), attempt=1, note=Clean("TimeoutError"), note_is_error=True, **mail),
            make_row(900, TaskStatus.FAILED, name=Clean("shop.feeds.sync_feed")),
            make_row(800, TaskStatus.RUNNING, phase=Clean("stalled"), name=Clean("größe.<lambda>")),
            make_row(700, TaskStatus.SUCCESS, **mail),
            make_row(600, TaskStatus.CANCELLED, name=Clean("日本語.タスク")),
            make_row(500, phase=Clean("blocked"), name=Clean("report"), note=Clean("")),
        ]
    )
    source.queues = [
        make_queue("default", pending=61_000, oldest_due_at=NOW - timedelta(minutes=4), failed=12),
        make_queue("mail", pending=26, running=3, success=1_204_000),
        make_queue("gpu", pending=9, scheduled=9, paused=True),
    ]
    source.workers = [
        make_worker("ada-laptop:4121:9f3a", running=3),
        make_worker("shed:77:01bc", capacity=64, running=40, queues=Clean("mail, default")),
        make_worker("gone:9:ffff", alive=False, seen_at=NOW - timedelta(seconds=94)),
    ]
    return source


def pulse() -> Pulse:
    ok = tuple(float(number % 13) for number in range(BARS))
    failed = tuple(float(number % 7 == 0) for number in range(BARS))
    return Pulse(ok=ok, failed=failed, rate=12.4, failing=0.021, took=Spread(0.42, 1.8), waited=Spread(0.08, 2.1))


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the pictures are drawn in UTC")
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("place", PLACES)
async def test_screen_is_as_it_was_drawn(place: str, size: str) -> None:
    source, picture = shop(), PICTURES / f"{place}-{size}.txt"
    app = make_app(source)
    async with app.run_test(size=SIZES[size]) as pilot:
        await settle(pilot)
        source.tell(pulse=pulse(), rows=None)
        await settle(pilot)
        await press(pilot, *PLACES[place])
        drawn = "\n".join(screen_lines(app)) + "\n"
    if "SITQ_DRAW" in os.environ:
        picture.parent.mkdir(exist_ok=True)
        picture.write_text(drawn)

    assert drawn == picture.read_text()


@pytest.mark.parametrize(
    "theme", ["tokyo-night", "textual-dark", "textual-light", "solarized-light", "nord", "gruvbox"]
)
async def test_words_can_be_read_on_every_theme(theme: str) -> None:
    app = make_app(shop())
    async with app.run_test() as pilot:
        app.theme = theme
        await settle(pilot)
        for name in ("failed", "success", "running", "warning", "name", "muted", "accent"):
            for ground in ("", "cursor"):
                style = paint(app.main.table, name, ground)
                assert contrast(style.foreground, style.background) >= 3, (name, ground)


def contrast(one: Color, other: Color) -> float:
    """The contrast ratio of WCAG 2.1."""
    dark, light = sorted((luminance(other + one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def luminance(color: Color) -> float:
    parts = (part / 255 for part in color.rgb)
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


async def test_states_are_told_apart_without_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = make_app(shop())
    async with app.run_test(size=SIZES["narrow"]) as pilot:
        await settle(pilot)
        lines = screen_lines(app)[3:12]

    assert len({tuple(line.replace("▌", " ").split()[:2]) for line in lines}) == len(lines)
