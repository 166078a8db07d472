"""The real program on a pseudo-terminal: what it shows, what it does, and what it never sends."""

import pickle
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from monitor_store import FilledStore
from processes import Programs
from terminals import Terminal, terminal

from sitq import SQLiteBackend, TaskQueue
from sitq.core import TaskStatus

# What Textual sends of its own: SGR, moves, modes, the shape of the pointer, and what was copied.
OWN_SEQUENCE = re.compile(
    r"\x1b\[[0-9;]*[mHJ]|\x1b\[[?<=>]?[0-9;]*\$?[hlupq]|\x1b\]22;[a-z-]*(\x07|\x1b\\)|\x1b[78=>]"
    r"|\x1b\]52;c;(?!UFdORUQ=)[A-Za-z0-9+/=]*\x07"
)
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


@pytest.mark.parametrize(
    "size", [(160, 45), *(pytest.param(size, marks=pytest.mark.slow) for size in ((80, 24), (60, 15)))]
)
async def test_nothing_that_a_store_holds_reaches_the_terminal_as_it_is(
    store: FilledStore, size: tuple[int, int]
) -> None:
    await fill_with_evil(store)

    with terminal(monitor(store.path), columns=size[0], rows=size[1]) as screen:
        look_at_everything(screen)
        code = screen.wait()

    assert code == 0
    assert "Traceback of attempt 1" in screen.text()
    assert any(sequence.startswith("\x1b]52;") for sequence in screen.sequences())
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


async def test_work_of_a_live_worker_is_followed_and_done_again(path: Path, programs: Programs) -> None:
    async with TaskQueue(path) as queue:
        await queue.enqueue(make_fail_once(), str(path.with_name("tried")))
        programs.start_module("sitq", "worker", str(path), "--quiet")

        with terminal(monitor(path)) as screen:
            screen.read_until("RuntimeError: not yet")
            screen.read_until("1 worker")
            screen.type("R")
            screen.read_until("Requeue this task?")
            screen.type("y")
            screen.read_until("requeued 1, skipped 0")
            screen.read_until("✓ success")
            screen.type("w")
            screen.read_until("○ idle")
            screen.type("q")

            assert screen.wait() == 0


def make_fail_once() -> Callable[[str], None]:
    """A function that travels by value, and fails unless it has been tried before."""

    def fail_once(place: str) -> None:
        if not Path(place).exists():
            Path(place).touch()
            raise RuntimeError("not yet")

    return fail_once


async def test_filter_jump_and_range_work_in_the_real_program(store: FilledStore) -> None:
    await store.enqueue_many(300)
    await store.enqueue("needle", queue="hay")

    with terminal(monitor(store.path), columns=80, rows=24) as screen:
        screen.read_until("1 of 301")
        screen.type("G")
        screen.read_until("301 of 301")
        screen.type("/")
        screen.read(0.3)
        screen.type("queue:hay\r")
        screen.read_until("1 match ")
        screen.type("t")
        screen.read_until("since:15m")
        screen.type("q")

        assert screen.wait() == 0


async def test_file_that_is_replaced_by_another_is_told_and_left(store: FilledStore, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"something else entirely" * 5000)
    with terminal(monitor(store.path)) as screen:
        screen.read_until("no worker")
        for suffix in ("-wal", "-shm"):
            store.path.with_name(f"{store.path.name}{suffix}").unlink()
        other.replace(store.path)
        screen.read_until("was deleted or replaced")
        screen.read_until("is not a SQLite database")
        screen.type("q")

        assert screen.wait() == 0
    assert "Traceback" not in screen.text()
    assert store.path.read_bytes() == b"something else entirely" * 5000


async def test_file_that_is_deleted_is_told_and_a_new_one_is_shown(path: Path) -> None:
    async with SQLiteBackend(path) as backend:
        await FilledStore(path, backend).enqueue("old")
    with terminal(monitor(path)) as screen:
        screen.read_until("old")
        for file in path.parent.glob("tasks.db*"):
            file.unlink()
        screen.read_until("does not exist")
        async with SQLiteBackend(path) as backend:
            await FilledStore(path, backend).enqueue("new_one")
            screen.read_until("new_one")
        screen.type("q")

        assert screen.wait() == 0


@pytest.mark.slow
async def test_file_that_grows_by_a_thousand_tasks_a_second_is_followed(store: FilledStore) -> None:
    with terminal(monitor(store.path)) as screen:
        screen.read_until("no worker")
        for _ in range(20):
            await store.enqueue_many(100)
            screen.read(0.1)
        await store.enqueue("the_last")
        screen.read_until("the_last")
        screen.type("jG")
        screen.read_until("2,001 of 2,001")
        screen.type("q")

        assert screen.wait() == 0


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
    await store.schedule(text)
    await store.register(text)
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
    for key, question in (("R", "Requeue this task?"), ("X", "Rerun this task?")):
        screen.type(key)
        screen.read_until(question)
        screen.type("n")
        screen.read(0.15)
    screen.type("yYon")
    screen.read_until("traceback handed to")
    screen.type("\x1b")
    screen.read_until("Enter open")
    screen.type("j\r")
    screen.read_until("none of 1 yet")
    look_at_rosters(screen)
    screen.type("/")
    screen.read_until("any text")
    screen.type(" name:")
    screen.read(0.3)
    screen.type("\r")
    screen.read_until("needs a value")
    screen.type("*D")
    screen.read_until("Delete")
    screen.type("n?")
    screen.read_until("next row")
    screen.type("q")
    screen.read(0.3)
    screen.type("q")


def look_at_rosters(screen: Terminal) -> None:
    """Show workers, queues and schedules, and what is asked before one of them is changed."""
    screen.type("w")
    screen.read_until("HEARTBEAT")
    screen.type("QS")
    screen.read_until("Stop queue")
    screen.type("n\r")
    screen.read_until("cannot be written")
    screen.type("cS")
    screen.read_until("Stop schedule")
    screen.type("n")
    screen.read(0.15)
    screen.type("\x1b")
    screen.read_until("Enter open")


def sequences_of_others(screen: Terminal) -> list[str]:
    return [sequence for sequence in screen.sequences() if not OWN_SEQUENCE.fullmatch(sequence)]
