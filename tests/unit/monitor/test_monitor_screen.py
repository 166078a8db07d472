"""TaskScreen: filters, places, marks, actions on many, and what is taken away."""

from datetime import timedelta
from pathlib import Path

import pytest
from monitor_pilot import press, settle
from monitor_rows import (
    NOW,
    Still,
    make_app,
    make_queue,
    make_row,
    make_rows,
    make_schedule,
    make_worker,
    screen,
    screen_lines,
)

from sitq.core import TaskStatus
from sitq.sanitize import Clean
from sitq.views import Order
from sitq_monitor.deed import Action, Done, Plan, Progress, Scope, Tally
from sitq_monitor.format import count
from sitq_monitor.model import BARS, Pulse, Spread
from sitq_monitor.settings import Settings
from sitq_monitor.view import Filter
from sitq_monitor.widgets.confirm import ConfirmAction
from sitq_monitor.widgets.prompt import Prompt

NARROW, WIDE, SMALL = (80, 24), (160, 45), (60, 15)
FAILED = [make_row(number, TaskStatus.FAILED) for number in range(150, 0, -1)]


# Filters


async def test_slash_filters_and_escape_drops_the_filter() -> None:
    source = Still(make_rows(30))
    app = make_app(source)
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "slash", *"_002", "enter")
        filtered = screen(app)
        await press(pilot, "escape")

        assert "/ _002" in filtered
        assert "10 matches" in filtered
        assert "task_0015" not in filtered
        assert "task_0015" in screen(app)


async def test_state_in_a_filter_chooses_the_tab() -> None:
    app = make_app(Still(FAILED))
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "slash", *"state:failed", "enter")

        assert app.main.tabs.state is TaskStatus.FAILED
        assert not app.main.footing.filter.display


async def test_state_that_is_left_out_goes_with_the_tab_of_all() -> None:
    source = Still(FAILED)
    app = make_app(source)
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "5", "slash", *"-state:success -name:x", "enter")
        without = source.view.filter
        await press(pilot, "4")

        assert without == Filter(except_statuses=(TaskStatus.SUCCESS,), except_names=("x",))
        assert source.view.filter == Filter(status=TaskStatus.SUCCESS, except_names=("x",))
        assert app.main.looking.text == "-name:x"


async def test_filter_that_cannot_be_understood_changes_nothing() -> None:
    app = make_app(Still(make_rows(3)))
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "slash", *"colour:red", "enter")

        assert "there is no colour: to filter by" in screen(app)
        assert app.main.looking.filter == Filter()


async def test_note_without_room_beside_the_place_has_the_line_alone() -> None:
    app = make_app(Still(make_rows(3)))
    async with app.run_test(size=SMALL) as pilot:
        await press(pilot, "R")
        note = screen_lines(app)[-2]
        await press(pilot, "j")

        assert note == " nothing to requeue: it is not failed or cancelled"
        assert "2 of 3" in screen(app)


async def test_given_up_filter_leaves_the_one_that_was() -> None:
    app = make_app(Still(make_rows(30)))
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "slash", *"_0021", "enter", "slash", "x", "escape")

        assert app.main.looking.text == "_0021"
        assert app.main.table.has_focus


async def test_filters_used_before_come_back_by_up_and_down() -> None:
    app = make_app(Still(make_rows(3)), settings=Settings(history=["name:b", "name:a"]))
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "slash", "up", "up", "down", "enter")

        assert app.main.looking.text == "name:b"
        assert app.settings.history == ["name:b", "name:a"]


@pytest.mark.parametrize(
    ("typed", "accepted"),
    [
        ("que", "queue:"),
        ("state:f", "state:failed"),
        ("x queue:ma", "x queue:mail"),
        ("-queue:ma", "-queue:mail"),
        ("-st", "-state:"),
        ("name:task_0003", "name:task_0003"),
    ],
)
async def test_words_of_filters_are_completed(typed: str, accepted: str) -> None:
    source = Still(make_rows(3))
    source.queues = [make_queue("mail")]
    app = make_app(source)
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "slash", *typed)
        await press(pilot, "right")

        assert app.main.filter_bar.value == accepted


async def test_pasted_control_characters_do_not_get_into_a_filter() -> None:
    app = make_app(Still(make_rows(3)))
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "slash")
        app.main.filter_bar.value = "a\x1b]52;c;x\x07"
        await press(pilot, "enter")

        assert "\x1b" not in screen(app)


async def test_kept_filter_is_in_the_palette() -> None:
    app = make_app(Still(FAILED))
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "5", "slash", *"_0007", "enter", "K")
        await press(pilot, *"mine", "enter")
        commands = {command.title: command for command in app.get_system_commands(app.screen)}
        await press(pilot, "escape")
        commands["Filter: mine"].callback()
        await settle(pilot)

        assert app.settings.kept == {"mine": "state:failed _0007"}
        assert (app.main.tabs.state, app.main.looking.text) == (TaskStatus.FAILED, "_0007")


async def test_t_takes_the_next_range_of_time() -> None:
    source = Still(make_rows(1000))
    app = make_app(source)
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "t")
        first, text = source.view.filter.since, screen(app)
        await press(pilot, *"ttttt")

        assert first == NOW - timedelta(minutes=15)
        assert "/ since:15m" in text
        assert source.view.filter.since is None


async def test_s_sorts_and_says_so() -> None:
    source = Still(make_rows(30))
    app = make_app(source)
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "s")
        oldest = (source.view.order, app.main.table.listing.rows[0].name, "oldest first" in screen(app))
        await press(pilot, "s", "s")

        assert oldest == (Order.OLDEST, "task_0001", True)
        assert source.view.order is Order.NEWEST


async def test_brackets_go_to_the_neighbouring_states() -> None:
    app = make_app(Still(FAILED))
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "right_square_bracket", "right_square_bracket")
        forward = app.main.tabs.state
        await press(pilot, *["left_square_bracket"] * 3)

        assert (forward, app.main.tabs.state) == (TaskStatus.RUNNING, TaskStatus.CANCELLED)


# Places


@pytest.mark.parametrize("size", [SMALL, NARROW, WIDE])
async def test_w_shows_workers_with_their_heartbeats(size: tuple[int, int]) -> None:
    source = Still()
    source.workers = [
        make_worker("host:1:aa"),
        make_worker("host:2:bb", alive=False, seen_at=NOW - timedelta(minutes=2)),
    ]
    app = make_app(source)
    async with app.run_test(size=size) as pilot:
        await press(pilot, "w")
        lines = screen_lines(app)
        await press(pilot, "w")

        assert any("▸ working" in line and "host:1:aa" in line and "1/4" in line and "3s ago" in line for line in lines)
        assert any("! silent" in line and "host:2:bb" in line and "2m ago" in line for line in lines)
        assert app.main.body.place == "list"


@pytest.mark.parametrize("size", [SMALL, NARROW, WIDE])
async def test_queues_are_shown_with_depth_and_age(size: tuple[int, int]) -> None:
    source = Still()
    source.queues = [
        make_queue("mail", pending=7, scheduled=2, oldest_due_at=NOW - timedelta(minutes=4)),
        make_queue("gpu"),
    ]
    app = make_app(source)
    async with app.run_test(size=size) as pilot:
        await press(pilot, "Q")

        mail = next(line for line in screen_lines(app) if "▸ open" in line and "mail" in line)

    assert mail.split()[:6] == ["▌", "▸", "open", "mail", "5", "4m"]


async def test_enter_on_a_queue_shows_its_tasks() -> None:
    source = Still([make_row(2, queue=Clean("two words")), make_row(1)])
    source.queues = [make_queue("default"), make_queue("two words")]
    app = make_app(source)
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "Q", "j", "enter")

        assert (app.main.body.place, source.view.filter.queue) == ("list", "two words")
        assert [row.name for row in app.main.table.listing.rows] == ["task_0002"]


@pytest.mark.parametrize(("paused", "question"), [(False, "Stop queue mail?"), (True, "Resume queue mail?")])
async def test_queue_is_stopped_or_resumed_after_a_question(paused: bool, question: str) -> None:
    source = Still()
    source.queues = [make_queue("mail", paused=paused)]
    app = make_app(source)
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "Q", "S")
        asked = screen(app)
        await press(pilot, "y")

        assert question in asked
        assert source.paused == [("mail", not paused)]


@pytest.mark.parametrize("size", [SMALL, NARROW, WIDE])
async def test_schedules_are_shown_with_their_next_and_last_moment(size: tuple[int, int]) -> None:
    source = Still()
    source.schedules = [make_schedule("nightly"), make_schedule("hourly", paused=True)]
    app = make_app(source)
    async with app.run_test(size=size) as pilot:
        await press(pilot, "c")

        lines = screen_lines(app)

    assert any("◷ planned" in line and "nightly" in line and "in 3h" in line for line in lines)
    assert any("‖ paused" in line and "hourly" in line and "1h ago" in line for line in lines)


@pytest.mark.parametrize("paused", [False, True])
async def test_schedule_is_stopped_resumed_and_run_after_a_question(paused: bool) -> None:
    source = Still()
    source.schedules = [make_schedule("nightly", paused=paused)]
    app = make_app(source)
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "c", "S")
        asked = screen(app)
        await press(pilot, "y", "N")
        await press(pilot, "n", "N")
        await press(pilot, "y")

        assert f"{'Resume' if paused else 'Stop'} schedule nightly?" in asked
        assert (source.turned, source.ran) == ([("nightly", not paused)], ["nightly"])


async def test_moving_keys_move_in_rosters() -> None:
    source = Still()
    source.queues = [make_queue(f"lane-{number:02}") for number in range(40)]
    app = make_app(source)
    async with app.run_test(size=SMALL) as pilot:
        await press(pilot, "Q", "G", "k", "pagedown")
        last = (app.main.body.queues.cursor_row.id, screen(app))
        await press(pilot, "g", "j")

        assert last[0] == "lane-39"
        assert "lane-39" in last[1]
        assert app.main.body.queues.cursor_row.id == "lane-01"


async def test_click_moves_the_cursor_in_rosters() -> None:
    source = Still()
    source.queues = [make_queue("a"), make_queue("b")]
    app = make_app(source)
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "Q")
        await pilot.click("#queues", offset=(10, 2))

        assert app.main.body.queues.cursor_row.id == "b"


async def test_click_on_the_queue_under_the_cursor_shows_its_tasks() -> None:
    source = Still([make_row(2, queue=Clean("b")), make_row(1)])
    source.queues = [make_queue("a"), make_queue("b")]
    app = make_app(source)
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "Q")
        await pilot.click("#queues", offset=(10, 2))
        before = app.main.body.place
        await pilot.click("#queues", offset=(10, 2))
        await settle(pilot)

        assert (before, app.main.body.place, source.view.filter.queue) == ("queues", "list", "b")


async def test_dashboard_tells_the_pulse_where_there_is_room() -> None:
    source = Still(make_rows(3))
    source.queues = [make_queue("mail", pending=1200, oldest_due_at=NOW - timedelta(hours=2))]
    app = make_app(source)
    pulse = Pulse(
        ok=(0.0,) * (BARS - 2) + (10.0, 20.0), failed=(0.0,) * (BARS - 1) + (5.0,), rate=17.5, failing=0.25,
        took=Spread(0.42, 1.8), waited=Spread(0.08, 2.1),
    )  # fmt: skip
    async with app.run_test(size=WIDE) as pilot:
        await settle(pilot)
        source.tell(pulse=pulse, rows=None)
        await settle(pilot)
        lines = screen_lines(app)
        await pilot.resize_terminal(*NARROW)
        await settle(pilot)
        short = screen_lines(app)[0]

    assert "▅█" in lines[2] and "15.0" in lines[2] and "80ms   2.10s" in lines[2]
    assert "420ms   1.80s" in lines[3] and "25.0%" in lines[4]
    assert "mail" in lines[2] and "1200" in lines[2] and "2h" in lines[2]
    assert "17.5/s" in short


async def test_dashboard_follows_every_change() -> None:
    source = Still(make_rows(3))
    app = make_app(source)
    async with app.run_test(size=WIDE) as pilot:
        for depth, paused in ((7, False), (1234, False), (99_000, True), (0, False)):
            source.queues = [make_queue("mail", pending=depth, paused=paused), make_queue("größe", pending=5)]
            source.workers = [make_worker(running=depth % 4, alive=not paused)]
            source.tell()
            await settle(pilot)
            shown = screen_lines(app)
            app.main.refresh()
            await settle(pilot)

            assert shown == screen_lines(app)
            assert count(depth) in "".join(shown[1:5])


async def test_z_gives_the_task_the_whole_width() -> None:
    app = make_app(Still(FAILED[:3]))
    async with app.run_test(size=WIDE) as pilot:
        await press(pilot, "z")
        zoomed = app.main.detail.size.width
        await press(pilot, "z")

        assert zoomed > 150 > app.main.detail.size.width


async def test_tab_goes_to_the_other_pane() -> None:
    app = make_app(Still(FAILED[:3]))
    async with app.run_test(size=WIDE) as pilot:
        await press(pilot, "tab")
        focused = app.main.detail.has_focus
        await press(pilot, "tab")

        assert focused
        assert app.main.table.has_focus


async def test_sections_and_library_frames_have_keys() -> None:
    app = make_app(Still(FAILED[:1]))
    async with app.run_test(size=SMALL) as pilot:
        await press(pilot, "enter", "g")
        await press(pilot, "n")
        second = screen_lines(app)[2:4]
        await press(pilot, "p", "o")

        assert any("Traceback of attempt 1" in line for line in second)
        assert app.main.detail.scroll_y == 0


async def test_rate_of_reading_is_chosen() -> None:
    source = Still()
    app = make_app(source)
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "plus", "plus")
        fastest = (source.rate, "10/s" in screen(app))
        await press(pilot, "minus", "minus")

        assert (fastest, source.rate) == ((10.0, True), 2.0)


# Actions on many


async def test_all_that_match_are_marked_and_reached_by_the_filter() -> None:
    source = Still(FAILED)
    app = make_app(source)
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "5", "asterisk", "R")
        text = screen(app)
        await press(pilot, "y")

        assert "Requeue 150 tasks?" in text
        assert "all that match state:failed, up to now" in text
        assert source.plans[0].scope == Scope(ids=None, filter=Filter(status=TaskStatus.FAILED), asked_at=NOW)
        assert len(source.acts[0][1]) == 150
        assert not app.main.table.marks


async def test_unmark_takes_all_marks_away() -> None:
    app = make_app(Still(make_rows(3)))
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "asterisk")
        shown = "all that match marked" in screen(app)
        await press(pilot, "u")

        assert shown
        assert not app.main.table.marks


@pytest.mark.parametrize(("typed", "acts"), [("150", 1), ("15", 0), ("", 0)])
async def test_deleting_many_wants_their_number_typed(typed: str, acts: int) -> None:
    source = Still(FAILED)
    app = make_app(source)
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "asterisk", "D")
        await press(pilot, "y", *typed, "enter")

        assert len(source.acts) == acts
        assert isinstance(app.screen, ConfirmAction) is not bool(acts)


async def test_deleting_a_few_wants_a_yes() -> None:
    source = Still(FAILED)
    async with make_app(source).run_test(size=NARROW) as pilot:
        await press(pilot, "D")
        await press(pilot, "y")

        assert source.acts == [(Action.DELETE, ["id-0150"])]


async def test_progress_is_told_and_escape_stops() -> None:
    source = Still(make_rows(3))
    app = make_app(source)
    async with app.run_test(size=WIDE) as pilot:
        source.say(Progress(what=Clean("requeue"), done=1500, of=27301))
        await settle(pilot)
        text = screen(app)
        await press(pilot, "escape")
        source.say(Tally(action=Action.REQUEUE, asked=2000, reached=1990, stopped=True))
        await settle(pilot)

        assert "requeue: 1,500 of 27,301" in text
        assert source.halted
        assert "requeued 1,990, skipped 10 (moved on), stopped before the end" in screen(app)


@pytest.mark.parametrize(
    ("news", "words"),
    [
        (
            Tally(action=Action.CANCEL, asked=9, reached=3, trouble=Clean("disk full")),
            "cancel failed: disk full, cancelled 3",
        ),
        (Done(words=Clean("3 tasks written to x.csv")), "3 tasks written to x.csv"),
        (Done(words=Clean("x.csv cannot be written"), failed=True), "x.csv cannot be written"),
    ],
)
async def test_what_came_of_it_stays_on_the_screen(news: Tally | Done, words: str) -> None:
    source = Still(make_rows(3))
    app = make_app(source)
    async with app.run_test(size=NARROW) as pilot:
        source.say(news)
        source.tell()
        await settle(pilot)

        assert words in screen(app)


async def test_plan_of_more_than_was_counted_says_so() -> None:
    source = Still(make_rows(3))
    app = make_app(source)
    scope = Scope(ids=None, filter=Filter(text="x"), asked_at=NOW)
    async with app.run_test(size=NARROW) as pilot:
        source.say(
            Plan(action=Action.CANCEL, scope=scope, eligible=10_000, skipped=(), names=(Clean("a"),), counted_all=False)
        )
        await settle(pilot)

        assert "Cancel more than 10,000 tasks?" in screen(app)


# What is taken away


async def test_y_copies_the_id_and_upper_y_the_traceback() -> None:
    app = make_app(Still(FAILED[:1]))
    async with app.run_test(size=WIDE) as pilot:
        await press(pilot, "y")
        copied, text = app.clipboard, screen(app)
        await press(pilot, "Y")

        assert copied == "id-0150"
        assert "id handed to the terminal's clipboard" in text
        assert app.clipboard.endswith("ValueError: bad row\n")


async def test_task_without_traceback_gives_its_arguments() -> None:
    app = make_app(Still(make_rows(1)))
    async with app.run_test(size=WIDE) as pilot:
        await press(pilot, "Y")

        assert app.clipboard == "('supplier', full=True)"


async def test_task_that_is_not_open_has_no_text_to_copy() -> None:
    app = make_app(Still(FAILED[:1]))
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "Y")

        assert "open the task first" in screen(app)


async def test_export_takes_all_that_match_or_else_the_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    source = Still(make_rows(3))
    async with make_app(source).run_test(size=NARROW) as pilot:
        for marks in ([], ["space"]):
            await press(pilot, *marks, "e")
            await press(pilot, *["ctrl+u"], *"out.csv", "enter")

        assert [(path.name, scope.ids) for path, scope in source.exports] == [
            ("out.csv", None),
            ("out.csv", ("id-0003",)),
        ]


@pytest.mark.parametrize(
    ("name", "trouble"),
    [
        ("out.txt", "the name must end in"),
        ("no/out.csv", "there is no such folder"),
        ("here.csv", "there is such a file"),
    ],
)
async def test_name_that_will_not_do_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, trouble: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("here.csv").touch()
    source = Still(make_rows(3))
    app = make_app(source)
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "e")
        await press(pilot, "ctrl+u", *name, "enter")

        assert trouble in screen(app)
        assert isinstance(app.screen, Prompt)
        assert source.exports == []


async def test_picture_of_the_screen_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    app = make_app(Still(make_rows(3)))
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "e")
        await press(pilot, "ctrl+u", *"shot.svg", "enter")

        assert "task_0003" in Path("shot.svg").read_text()
        assert "picture written to shot.svg" in screen(app)


async def test_read_only_monitor_offers_no_change_in_the_palette_or_in_queues() -> None:
    source = Still(FAILED)
    app = make_app(source, read_only=True)
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "asterisk", "D", "R", "Q", "S", "c", "S", "N")
        titles = [command.title for command in app.get_system_commands(app.screen)]

        assert (source.plans, source.paused) == ([], [])
        assert not [title for title in titles if title.split()[0] in ("Requeue", "Cancel", "Delete", "Stop")]


async def test_palette_runs_what_a_key_runs() -> None:
    app = make_app(Still(FAILED))
    async with app.run_test(size=NARROW) as pilot:
        command = next(
            command for command in app.get_system_commands(app.screen) if command.title.startswith("Workers")
        )
        await command.callback()
        await settle(pilot)

        assert app.main.body.place == "workers"


async def test_chosen_theme_is_remembered() -> None:
    app = make_app(Still(make_rows(3)))
    async with app.run_test(size=NARROW) as pilot:
        app.theme = "textual-light"
        await settle(pilot)

        assert app.settings.theme == "textual-light"
        assert make_app(Still(), settings=app.settings).theme == "textual-light"


async def test_theme_that_is_gone_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEXTUAL_THEME", "no-such-theme")

    assert make_app(Still()).theme == "tokyo-night"
