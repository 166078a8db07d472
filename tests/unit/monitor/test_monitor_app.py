"""MonitorApp: what it shows of a snapshot, and what each key does."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from monitor_pilot import press, settle
from monitor_rows import NOW, Still, make_app, make_row, make_rows, screen, screen_lines

from sitq.core import TaskStatus
from sitq.sanitize import Clean
from sitq_monitor.app import MonitorApp
from sitq_monitor.deed import Action
from sitq_monitor.view import Filter, Rows
from sitq_monitor.widgets.confirm import ConfirmAction
from sitq_monitor.widgets.help import HelpScreen

NARROW, WIDE, SMALL = (80, 24), (160, 45), (60, 15)
SIZES = [NARROW, WIDE, SMALL]
MIXED = [
    make_row(6),
    make_row(5, TaskStatus.RUNNING),
    make_row(4, TaskStatus.FAILED),
    make_row(3, TaskStatus.CANCELLED),
    make_row(2, TaskStatus.SUCCESS),
    make_row(1, TaskStatus.FAILED),
]


def line_with(app: MonitorApp, words: str) -> str:
    return next(line for line in screen_lines(app) if words in line)


# What is shown


@pytest.mark.parametrize("size", SIZES)
async def test_rows_are_shown_at_every_size(size: tuple[int, int]) -> None:
    app = make_app(Still(MIXED))
    async with app.run_test(size=size) as pilot:
        await settle(pilot)

        lines = screen_lines(app)

    assert all(any(row.name in line for line in lines) for row in MIXED)
    assert max(map(len, lines)) <= size[0]


@pytest.mark.parametrize("size", SIZES)
async def test_every_state_has_a_glyph_in_its_row(size: tuple[int, int]) -> None:
    app = make_app(Still(MIXED))
    async with app.run_test(size=size) as pilot:
        await settle(pilot)

        rows = [line[:40] for line in screen_lines(app)[3:] if "task_" in line[:40]][: len(MIXED)]

    assert [next(glyph for glyph in "○▸✗⊘✓" if glyph in row) for row in rows] == ["○", "▸", "✗", "⊘", "✓", "✗"]


async def test_tabs_show_states_with_their_counts() -> None:
    app = make_app(Still(MIXED))
    async with app.run_test(size=WIDE) as pilot:
        await settle(pilot)

        tabs = " ".join(line_with(app, "1 all").split())

    assert tabs == "1 all 6 2 ○ pending 1 3 ▸ running 1 4 ✓ success 1 5 ✗ failed 2 6 ⊘ cancelled 1"


async def test_tabs_give_up_words_before_counts() -> None:
    app = make_app(Still(MIXED))
    async with app.run_test(size=SMALL) as pilot:
        await press(pilot, "5")

        tabs = " ".join(line_with(app, "1 all").split())

    assert tabs == "1 all 6 2 ○ 1 3 ▸ 1 4 ✓ 1 5 ✗ failed 2 6 ⊘ 1"


async def test_status_line_names_the_store_and_what_may_be_done() -> None:
    app = make_app(Still(MIXED))
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)

        line = screen_lines(app)[0]

    assert all(word in line for word in ("/data/tasks.db", "● live", "1 worker", "read-write"))


async def test_trouble_of_the_store_is_told_and_the_rows_stay() -> None:
    source = Still(MIXED)
    app = make_app(source)
    async with app.run_test(size=NARROW) as pilot:
        source.tell(trouble=Clean("database disk image is malformed"), rows=None, counts=None)
        await settle(pilot)

        lines = screen_lines(app)

    assert "! database disk image is malformed" in lines[0]
    assert "task_0006" in "\n".join(lines)


async def test_empty_store_shows_no_row() -> None:
    app = make_app(Still())
    async with app.run_test(size=WIDE) as pilot:
        await press(pilot, "j", "G", "g", "space", "pagedown", "enter", "R")

        assert "no task" in screen(app)
        assert "nothing to requeue" in screen(app)


async def test_running_time_ticks() -> None:
    now = [NOW]
    app = make_app(Still([make_row(990, TaskStatus.RUNNING)]), clock=lambda: now[0])
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        before = screen(app)
        now[0] += timedelta(seconds=30)
        async with asyncio.timeout(10):
            while " 39s " not in screen(app):
                await pilot.pause(0.1)

        assert " 9s " in before


async def test_markup_in_names_is_text() -> None:
    row = make_row(1, TaskStatus.FAILED, name=Clean("[@click=app.quit]x[/] [/"), note=Clean("[bold]list[/]"))
    app = make_app(Still([row]))
    async with app.run_test(size=WIDE) as pilot:
        await pilot.click("#table", offset=(20, 0))
        await press(pilot, "R")

        assert app.is_running
        assert "[@click=app.quit]x[/] [/" in screen(app)


# Choosing a state


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("1", [6, 5, 4, 3, 2, 1]),
        ("2", [6]),
        ("3", [5]),
        ("4", [2]),
        ("5", [4, 1]),
        ("6", [3]),
    ],
)
async def test_number_keys_choose_the_state(key: str, names: list[int]) -> None:
    app = make_app(Still(MIXED))
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "4", key)

        shown = [row.name for row in app.main.table.listing.rows]

    assert shown == [f"task_{number:04}" for number in names]


async def test_click_on_a_tab_chooses_its_state() -> None:
    app = make_app(Still(MIXED))
    async with app.run_test(size=WIDE) as pilot:
        await settle(pilot)
        await pilot.click("#tabs", offset=(line_with(app, "1 all").index("failed"), 0))
        await settle(pilot)

        assert app.main.tabs.state is TaskStatus.FAILED
        assert [row.status for row in app.main.table.listing.rows] == [TaskStatus.FAILED] * 2


async def test_the_same_state_again_returns_to_the_newest() -> None:
    app = make_app(Still(MIXED))
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "j", "j", "1")

        assert (app.main.table.cursor_line, app.main.table.following) == (0, True)


async def test_another_state_starts_at_its_top_without_marks() -> None:
    app = make_app(Still(MIXED))
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "j", "space", "5")

        assert (app.main.table.cursor_line, app.main.table.marks.ids, app.main.table.following) == (0, (), True)


# Moving


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (["j"], 1),
        (["down", "down"], 2),
        (["j", "j", "k"], 1),
        (["j", "up"], 0),
        (["k"], 0),
        (["pagedown"], 18),
        (["ctrl+d", "ctrl+u"], 0),
        (["pagedown", "pagedown", "pageup"], 18),
        (["G"], 79),
        (["end", "j"], 79),
        (["G", "g"], 0),
        (["end", "home"], 0),
    ],
)
async def test_moving_keys_move_the_cursor(keys: list[str], line: int) -> None:
    app = make_app(Still(make_rows(80)))
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, *keys)

        assert app.main.table.cursor_line == line


async def test_cursor_stays_on_the_screen() -> None:
    app = make_app(Still(make_rows(80)))
    async with app.run_test(size=SMALL) as pilot:
        await press(pilot, "G")

        assert any("▌" in line and "task_0001" in line for line in screen_lines(app))


async def test_click_moves_the_cursor_and_another_one_opens_the_task() -> None:
    app = make_app(Still(make_rows(5)))
    app.CLICK_CHAIN_TIME_THRESHOLD = 0.0  # no click is the second of a double click
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        await pilot.click("#table", offset=(10, 2))
        moved_to = app.main.table.cursor_line
        await pilot.click("#table", offset=(10, 2))
        await settle(pilot)

        assert moved_to == 2
        assert "tags       nightly, eu" in screen(app)


async def test_end_of_the_list_is_reached_at_once() -> None:
    app = make_app(Still(make_rows(1000)))
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "G")
        await press(pilot, "j")

        assert app.main.table.cursor_row.name == "task_0001"
        assert "1,000 of 1,000" in screen(app)
        assert len(app.main.table.listing.rows) < 300


async def test_pages_above_load_on_the_way_back_from_the_end() -> None:
    app = make_app(Still(make_rows(1000)))
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "G")
        for _ in range(12):
            await press(pilot, "pageup")

        assert app.main.table.cursor_row.name == "task_0217"
        assert "784 of 1,000" in screen(app)


async def test_pages_below_load_on_the_way_down() -> None:
    app = make_app(Still(make_rows(1000)))
    async with app.run_test(size=NARROW) as pilot:
        for _ in range(12):
            await press(pilot, "pagedown")

        assert app.main.table.cursor_row.name == "task_0784"


async def test_rows_stand_still_on_the_screen_when_pages_come_above_them() -> None:
    app = make_app(Still(make_rows(1000)))
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "G")
        wanted, loaded = app.main.table.listing.rows[1].name, len(app.main.table.listing.rows)
        app.main.table.scroll_to(y=1, animate=False)
        await settle(pilot)

        assert wanted in screen_lines(app)[3]
        assert len(app.main.table.listing.rows) > loaded


async def test_part_of_the_list_is_gone_to() -> None:
    app = make_app(Still(make_rows(1000)))
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "colon", *"50%", "enter")
        await settle(pilot)

        assert app.main.table.cursor_row.name == "task_0500"
        assert "more above" in screen(app)


async def test_place_that_is_none_is_refused_and_nothing_moves() -> None:
    app = make_app(Still(make_rows(10)))
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "j", "colon", *"soon", "enter")

        assert "'soon' is no moment" in screen(app)
        assert app.main.table.cursor_line == 1


@pytest.mark.parametrize("key", ["escape", "enter"])
async def test_line_for_a_place_stands_where_the_hints_do_and_can_be_left(key: str) -> None:
    app = make_app(Still(make_rows(10)))
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "j", "colon")
        asked = screen_lines(app)[-2]
        await press(pilot, key, "j")

        assert "go to 30m or 7d ago" in asked
        assert app.main.table.cursor_line == 2


async def test_scrolling_by_wheel_loads_the_next_page() -> None:
    app = make_app(Still(make_rows(150)))
    async with app.run_test(size=NARROW) as pilot:
        app.main.table.scroll_to(y=90, animate=False)
        await settle(pilot)

        assert len(app.main.table.listing.rows) == 150


# Following and holding still


async def test_rows_come_in_on_top_while_following() -> None:
    source = Still(make_rows(3))
    app = make_app(source)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        source.arrive(make_row(4))
        await settle(pilot)

        assert app.main.table.listing.rows[0].name == "task_0004"
        assert "following" in screen(app)


async def test_cursor_stays_with_its_task_while_following() -> None:
    source = Still(make_rows(3))
    app = make_app(source)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        source.arrive(make_row(4))
        await settle(pilot)

        assert app.main.table.cursor_row.name == "task_0003"


async def test_cursor_returns_to_the_top_when_its_task_leaves_the_screen() -> None:
    source = Still(make_rows(30))
    app = make_app(source)
    async with app.run_test(size=SMALL) as pilot:
        await settle(pilot)
        source.arrive(*make_rows(60)[:30])
        await settle(pilot)

        assert app.main.table.cursor_row.name == "task_0060"


async def test_rows_hold_still_once_the_cursor_moved() -> None:
    source = Still(make_rows(3))
    app = make_app(source)
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "j")
        source.arrive(make_row(5), make_row(4))
        await settle(pilot)

        assert [row.name for row in app.main.table.listing.rows] == ["task_0003", "task_0002", "task_0001"]
        assert "▲ 2 new" in screen(app)


async def test_rows_that_hold_still_change_in_their_places() -> None:
    source = Still(make_rows(3))
    app = make_app(source)
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "2", "j")
        source.rows[1] = make_row(2, TaskStatus.SUCCESS)
        del source.rows[2]
        source.tell()
        await settle(pilot)

        assert [row.phase for row in app.main.table.listing.rows] == ["pending", "success", "deleted"]


async def test_g_shows_what_came_in() -> None:
    source = Still(make_rows(3))
    app = make_app(source)
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "j")
        source.arrive(make_row(4))
        await settle(pilot)
        await press(pilot, "g")

        assert (app.main.table.cursor_row.name, app.main.table.following) == ("task_0004", False)
        assert "new" not in screen_lines(app)[-2]


async def test_f_follows_and_holds() -> None:
    source = Still(make_rows(3))
    app = make_app(source)
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "f")
        held = not app.main.table.following
        source.arrive(make_row(4))
        await settle(pilot)
        await press(pilot, "f")

        assert held
        assert app.main.table.following
        assert app.main.table.listing.rows[0].name == "task_0004"


# Pausing


async def test_pause_leaves_everything_as_it_is_until_it_ends() -> None:
    source = Still(make_rows(3))
    app = make_app(source)
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "P")
        source.arrive(make_row(4))
        await settle(pilot)
        paused = screen(app)
        await press(pilot, "P")

        assert "‖ paused" in paused
        assert "task_0004" not in paused
        assert "task_0004" in screen(app)


async def test_older_pages_load_while_paused() -> None:
    app = make_app(Still(make_rows(150)))
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "P", "G")
        await settle(pilot)

        assert app.main.table.cursor_row.name == "task_0001"


# The task itself


async def test_wide_screens_show_the_task_beside_the_list() -> None:
    app = make_app(Still(MIXED))
    async with app.run_test(size=WIDE) as pilot:
        await press(pilot, "j", "j")

        text = screen(app)

    assert all(word in text for word in ("task_0004", "Traceback of attempt 1", "/home/ada/shop/feeds.py:84 in sync"))


@pytest.mark.parametrize("size", [NARROW, SMALL])
async def test_enter_opens_the_task_in_place_of_the_list_and_escape_returns(size: tuple[int, int]) -> None:
    app = make_app(Still(MIXED))
    async with app.run_test(size=size) as pilot:
        await press(pilot, "j", "j", "enter")
        opened = screen(app)
        await press(pilot, "escape")

        assert "feeds.py:84 in sync" in opened
        assert "task_0003" not in opened
        assert "task_0003" in screen(app)
        assert app.main.table.has_focus


async def test_open_task_scrolls() -> None:
    app = make_app(Still(MIXED))
    async with app.run_test(size=SMALL) as pilot:
        await press(pilot, "j", "j", "enter", "G")

        assert "✗ error" in screen_lines(app)[-3]


async def test_open_task_changes_live() -> None:
    source = Still([make_row(1, TaskStatus.RUNNING)])
    app = make_app(source)
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "enter")
        source.rows[0] = make_row(1, TaskStatus.FAILED)
        source.tell()
        await settle(pilot)

        assert "✗ failed  task_0001" in screen(app)


async def test_task_is_not_read_where_it_is_not_shown() -> None:
    source = Still(MIXED)
    async with make_app(source).run_test(size=NARROW) as pilot:
        await press(pilot, "j")

        assert source.view.task_id is None


# Changing tasks


@pytest.mark.parametrize(
    ("key", "action", "moves", "task_id"),
    [
        ("R", Action.REQUEUE, 2, "id-0004"),
        ("R", Action.REQUEUE, 3, "id-0003"),
        ("C", Action.CANCEL, 1, "id-0005"),
        ("X", Action.RERUN, 4, "id-0002"),
        ("X", Action.RERUN, 0, "id-0006"),
    ],
)
async def test_action_is_done_to_the_task_under_the_cursor(key: str, action: Action, moves: int, task_id: str) -> None:
    source = Still(MIXED)
    async with make_app(source).run_test(size=NARROW) as pilot:
        await press(pilot, *"j" * moves, key)
        await press(pilot, "y")

        assert source.acts == [(action, [task_id])]


async def test_action_is_done_to_the_marked_tasks_it_applies_to() -> None:
    source = Still(MIXED)
    app = make_app(source)
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, *["space"] * 6, "R")
        question = screen(app)
        await press(pilot, "y")

        assert "Requeue 3 tasks?" in question
        assert "1 pending, 1 running, 1 success left out" in question
        assert source.acts == [(Action.REQUEUE, ["id-0004", "id-0003", "id-0001"])]
        assert "requeued 3, skipped 0" in screen(app)


WAITING = [
    make_row(3, phase=Clean("scheduled")),
    make_row(2, phase=Clean("blocked")),
    make_row(1, phase=Clean("retrying")),
]


async def test_what_waits_for_its_moment_is_run_now() -> None:
    source = Still(WAITING)
    app = make_app(source)
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "asterisk", "N")
        question = screen(app)
        await press(pilot, "y")

        assert "Run 2 tasks now?" in question
        assert "1 blocked left out" in question
        assert source.acts == [(Action.RUN_NOW, ["id-0003", "id-0001"])]
        assert "made due 2, skipped 0" in screen(app)


async def test_what_does_not_wait_for_its_moment_is_not_run_now() -> None:
    app = make_app(Still(WAITING))
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "j", "N")

        assert "nothing to run now: it is not scheduled or retrying" in screen(app)


@pytest.mark.parametrize("key", ["R", "X"])
async def test_one_task_is_run_again_with_its_arguments_shown(key: str) -> None:
    app = make_app(Still([make_row(1, TaskStatus.CANCELLED)]))
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, key)

        dialog = app.screen.query_one("#subject").render()
        assert "(x=1)" in str(dialog)
        assert ("a copy under a new id" in str(dialog)) is (key == "X")


@pytest.mark.parametrize("answer", ["escape", "n", "enter"])
async def test_nothing_is_done_without_a_clear_yes(answer: str) -> None:
    source = Still(MIXED)
    app = make_app(source)
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "j", "j", "R")
        asked = isinstance(app.screen, ConfirmAction)
        await press(pilot, answer)

        assert asked
        assert source.acts == []
        assert not isinstance(app.screen, ConfirmAction)


async def test_button_that_goes_on_goes_on() -> None:
    source = Still(MIXED)
    app = make_app(source)
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "j", "j", "R")
        await pilot.click("#go")
        await settle(pilot)

        assert len(source.acts) == 1


async def test_action_is_done_to_what_was_chosen_when_it_was_asked() -> None:
    source = Still(MIXED)
    async with make_app(source).run_test(size=NARROW) as pilot:
        await press(pilot, "5", "R")
        source.arrive(make_row(7, TaskStatus.FAILED))
        await settle(pilot)
        await press(pilot, "y")

        assert source.acts == [(Action.REQUEUE, ["id-0004"])]


async def test_action_that_does_not_apply_says_why_and_asks_nothing() -> None:
    app = make_app(Still(MIXED))
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "R")

        assert not isinstance(app.screen, ConfirmAction)
        assert "nothing to requeue: it is not failed or cancelled" in screen(app)


async def test_open_task_is_acted_on_rather_than_the_marked_ones() -> None:
    source = Still(MIXED)
    async with make_app(source).run_test(size=NARROW) as pilot:
        await press(pilot, "j", "space", "enter")
        await press(pilot, "R")
        await press(pilot, "y")

        assert source.acts == [(Action.REQUEUE, ["id-0004"])]


async def test_space_marks_and_unmarks_and_escape_unmarks_all() -> None:
    app = make_app(Still(MIXED))
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "space", "space", "k", "space")
        marked = set(app.main.table.marks.ids)
        shown = screen(app)
        await press(pilot, "escape")

        assert marked == {"id-0006"}
        assert "◆" in shown
        assert "1 marked" in shown
        assert app.main.table.marks.ids == ()


async def test_read_only_monitor_has_no_keys_that_change_tasks() -> None:
    source = Still(MIXED)
    app = make_app(source, read_only=True)
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "j", "j", "space", "R", "C", "N", "X", "y")
        text = screen(app)
        await press(pilot, "question_mark")

        assert (source.acts, app.main.table.marks.ids) == ([], ())
        assert "read-only" in text
        assert "requeue" not in text + screen(app)


# Help, footer, quitting


async def test_help_lists_the_keys_and_closes() -> None:
    app = make_app(Still(MIXED))
    async with app.run_test(size=WIDE) as pilot:
        await press(pilot, "question_mark")
        text = screen(app)
        await press(pilot, "escape")

        assert all(words in text for words in ("end of the list", "mark, for changing several", "failed tasks"))
        assert not isinstance(app.screen, HelpScreen)


async def test_click_on_a_key_of_the_footer_does_what_the_key_does() -> None:
    app = make_app(Still(MIXED))
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        await pilot.click("#keys", offset=(screen_lines(app)[-1].index("help"), 0))
        await settle(pilot)

        assert isinstance(app.screen, HelpScreen)


async def test_q_quits() -> None:
    app = make_app(Still(MIXED))
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "q")

    assert app.return_code == 0


async def test_screen_can_be_resized_at_any_time() -> None:
    app = make_app(Still(make_rows(80)))
    async with app.run_test(size=WIDE) as pilot:
        await press(pilot, "G", "enter")
        for size in (SMALL, NARROW, WIDE):
            await pilot.resize_terminal(*size)
            await settle(pilot)

        assert "task_0001" in screen(app)


@pytest.mark.parametrize("theme", ["textual-light", "ansi-dark", "tokyo-night"])
async def test_rows_are_shown_in_every_theme(theme: str) -> None:
    app = make_app(Still(MIXED))
    async with app.run_test(size=NARROW) as pilot:
        app.theme = theme
        await settle(pilot)

        assert "task_0006" in screen(app)


async def test_snapshot_of_another_state_is_not_shown() -> None:
    source = Still(MIXED)
    app = make_app(source)
    async with app.run_test(size=NARROW) as pilot:
        await press(pilot, "5")
        late = (make_row(9, TaskStatus.SUCCESS),)
        source.tell(view=replace(source.view, filter=Filter(status=TaskStatus.SUCCESS)), rows=Rows(head=late))
        await settle(pilot)

        assert "task_0009" not in screen(app)
