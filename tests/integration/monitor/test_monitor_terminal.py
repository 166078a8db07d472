"""The real program on a pseudo-terminal: what it shows, what it does, and what it never sends."""

import pickle
import re
from pathlib import Path

import pytest
from monitor_store import FilledStore
from terminals import Terminal, terminal

from sitq.core import TaskStatus

# What Textual sends of its own: SGR, moves, modes, and the shape of the pointer.
OWN_SEQUENCE = re.compile(r"\x1b\[[0-9;]*[mHJ]|\x1b\[[?<=>]?[0-9;]*\$?[hlupq]|\x1b\]22;[a-z-]*(\x07|\x1b\\)|\x1b[78=>]")
EVIL = (
    "\x1b]52;c;UFdORUQ=\x07 \x1b]0;owned\x1b\\ \x1b[2J\x1b[31;1H \x9b2J \x9d0;x\x9c \x07\x08\r"
    "\u202egnihton\u2066 \u200b\U000e0041 \ud83d [@click=app.quit]x[/] [/ [bold"
)
PAGE_DOWN = "\x1b[6~"
HOME = "\x1b[H"
FORBIDDEN = ("\x07", "\x08", "\x9b", "\x9d", "\x9c", "\u202e", "\u2066", "\u200b", "\U000e0041", "\ud83d")


def monitor(path: Path, *options: str) -> list[str]:
    return ["-m", "sitq_monitor", str(path), *options]


async def test_task_is_seen_opened_and_requeued(store: FilledStore) -> None:
    broken = await store.fail("sync_feed", error="PriceError: on request")

    with terminal(monitor(store.path), columns=80, rows=24) as screen:
        screen.read_until("PriceError: on request")
        await store.enqueue("arrived_later")
        screen.read_until("arrived_later")
        screen.type("5\r")
        screen.read_until("feeds.py:84 in sync")
        screen.type("R")
        screen.read_until("Requeue this task?")
        screen.type("y")
        screen.read_until("requeued 1, skipped 0")
        screen.type("q")

        assert screen.wait() == 0
    assert (await store.look_up(broken)).status is TaskStatus.PENDING


async def test_change_by_another_process_is_seen(store: FilledStore) -> None:
    with terminal(monitor(store.path)) as screen:
        screen.read_until("no worker")
        await store.succeed("tidy_up")

        assert "✓ success" in screen.read_until("tidy_up")


@pytest.mark.parametrize("size", [(160, 45), (80, 24), (60, 15)])
async def test_nothing_that_a_store_holds_reaches_the_terminal_as_it_is(
    store: FilledStore, size: tuple[int, int]
) -> None:
    await fill_with_evil(store)

    with terminal(monitor(store.path), columns=size[0], rows=size[1]) as screen:
        look_at_everything(screen)
        code = screen.wait()

    assert code == 0
    assert "Traceback of attempt 1" in screen.text()
    assert sequences_of_others(screen) == []
    assert [character for character in FORBIDDEN if character in screen.text()] == []


# Textual loads `pickle` for its own use, so what is watched is whether anything is made from a pickle.
WATCHED = """
import sys
found = []
sys.addaudithook(lambda event, arguments: found.append(arguments) if event == "pickle.find_class" else None)
from sitq_monitor.__main__ import main
main(sys.argv[1:])
print("unpickled", found, "loaded", {"cloudpickle", "sitq.serialization"} & set(sys.modules))
"""


async def test_nothing_is_unpickled(store: FilledStore) -> None:
    payload = pickle.dumps(print)
    await store.enqueue("waiting", payload=payload)
    await store.succeed("done", payload=payload)

    with terminal(["-c", WATCHED, str(store.path)]) as screen:
        screen.read_until("waiting")
        screen.type("\r")
        screen.read_until("Attempts")
        screen.type("q")
        screen.wait()

    assert "unpickled [] loaded set()" in screen.text()


async def test_terminal_is_given_back_as_it_was(store: FilledStore) -> None:
    with terminal(monitor(store.path)) as screen:
        screen.read_until("no worker")
        screen.type("q")

        assert screen.wait() == 0
        assert screen.sent.rindex(b"\x1b[?1049l") > screen.sent.rindex(b"\x1b[?1049h")


async def fill_with_evil(store: FilledStore) -> None:
    """Put hostile text in every place that a producer, a task or a worker can write to."""
    text = EVIL.encode("utf-8", "backslashreplace").decode()
    options = {"queue": text, "arguments": text, "key": text, "tags": (text,), "meta": {text: text}, "executor": text}
    await store.enqueue(text, **options)
    await store.finish(
        await store.run(text, **(options | {"key": None})),
        TaskStatus.FAILED,
        error=text,
        traceback=f'Traceback (most recent call last):\n  File "{text}", line 1, in {text}\n    {text}\n{text}\n',
    )


def look_at_everything(screen: Terminal) -> None:
    """Show both tasks with all that is known of them, the question and the help, and leave."""
    screen.read_until("␛]52;c;UFdORUQ=␇")
    screen.type("\r")
    screen.read_until(" id  ")
    screen.type(HOME)
    for _ in range(8):
        screen.read(0.15)
        screen.type(PAGE_DOWN)
    screen.read(0.15)
    screen.type("R")
    screen.read_until("Requeue this task?")
    screen.type("n")
    screen.type("\x1b")
    screen.read_until("open")
    screen.type("j\r")
    screen.read_until("none of 1 yet")
    screen.type("?")
    screen.read_until("next row")
    screen.type("q")
    screen.read_until("back")
    screen.type("q")


def sequences_of_others(screen: Terminal) -> list[str]:
    return [sequence for sequence in screen.sequences() if not OWN_SEQUENCE.fullmatch(sequence)]
