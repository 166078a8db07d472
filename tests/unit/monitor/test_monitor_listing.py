"""Listing: rows come in while following, and hold still otherwise."""

from dataclasses import replace

from monitor_rows import make_row, make_rows

from sitq.core import TaskStatus
from sitq_monitor.listing import WINDOW, Listing
from sitq_monitor.model import TaskRow


def make_listing(rows: list[TaskRow], *, limit: int = 100) -> Listing:
    listing = Listing()
    listing.hear(tuple(rows[:limit]), limit=limit)
    listing.adopt()
    return listing


def ids(listing: Listing) -> list[str]:
    return [row.id for row in listing.rows]


def test_adopt_puts_the_newest_page_in_place() -> None:
    rows = make_rows(3)
    listing = make_listing(rows[1:])

    listing.hear(tuple(rows), limit=100)
    changed = listing.adopt()

    assert listing.rows == rows
    assert changed == [0, 1, 2]


def test_adopt_tells_only_lines_that_differ() -> None:
    rows = make_rows(4)
    listing = make_listing(rows)

    listing.hear((*rows[:2], replace(rows[2], attempt=7), rows[3]), limit=100)

    assert listing.adopt() == [2]


def test_adopt_tells_lines_that_are_gone() -> None:
    rows = make_rows(3)
    listing = make_listing(rows)

    listing.hear(tuple(rows[:1]), limit=100)

    assert listing.adopt() == [1, 2]


def test_hear_moves_no_row_and_counts_the_arrived() -> None:
    rows = make_rows(5)
    listing = make_listing(rows[2:])

    listing.hear(tuple(rows), limit=100)

    assert listing.rows == rows[2:]
    assert (listing.arrived, listing.arrived_more) == (2, False)


def test_hear_admits_that_more_may_have_arrived_than_a_page_holds() -> None:
    listing = make_listing(make_rows(10)[5:], limit=5)

    listing.hear(tuple(make_rows(20)[:5]), limit=5)

    assert (listing.arrived, listing.arrived_more) == (5, True)


def test_refresh_changes_rows_in_their_places() -> None:
    rows = make_rows(3)
    listing = make_listing(rows)
    done = make_row(2, TaskStatus.SUCCESS)

    changed = listing.refresh([row.id for row in rows], [rows[0], done, rows[2]])

    assert changed == [1]
    assert listing.rows == [rows[0], done, rows[2]]


def test_refresh_marks_rows_that_are_no_longer_in_the_store() -> None:
    rows = make_rows(2)
    listing = make_listing(rows)

    listing.refresh([row.id for row in rows], rows[:1])

    assert [row.phase for row in listing.rows] == ["pending", "deleted"]


def test_refresh_leaves_rows_alone_that_were_not_asked_for() -> None:
    listing = make_listing(make_rows(2))

    assert listing.refresh([], []) == []


def test_extend_below_appends_the_page_below_the_last_row() -> None:
    rows = make_rows(5)
    listing = make_listing(rows, limit=3)

    assert listing.extend_below(rows[2].id, rows[3:], limit=3) == 0
    assert (listing.rows, listing.has_more) == (rows, False)


def test_extend_refuses_a_page_that_belongs_to_another_row() -> None:
    rows = make_rows(5)
    listing = make_listing(rows, limit=3)

    assert listing.extend_below(rows[1].id, rows[2:], limit=3) is None
    assert listing.extend_above(rows[1].id, rows[:1], limit=3) is None
    assert ids(listing) == [row.id for row in rows[:3]]


def test_jump_leaves_the_head_and_comes_back_page_by_page() -> None:
    rows = make_rows(9)
    listing = make_listing(rows, limit=3)

    listing.jump(rows[6:], limit=3, to_end=True)
    landed = (ids(listing), listing.has_more, listing.has_above, listing.at_end)
    came = listing.extend_above(rows[6].id, rows[3:6], limit=3)

    assert landed == ([row.id for row in rows[6:]], False, True, True)
    assert (came, listing.rows, listing.has_above) == (3, rows[3:], True)


def test_short_page_above_is_the_head() -> None:
    rows = make_rows(5)
    listing = make_listing(rows, limit=3)
    listing.jump(rows[2:], limit=3, to_end=True)

    listing.extend_above(rows[2].id, rows[:2], limit=3)

    assert (listing.rows, listing.has_above) == (rows, False)


def test_window_lets_go_of_rows_that_are_far_away() -> None:
    rows = make_rows(WINDOW + 150)
    listing = make_listing(rows, limit=WINDOW)

    assert listing.extend_below(rows[WINDOW - 1].id, rows[WINDOW:], limit=150) == 150
    assert (listing.rows, listing.has_above) == (rows[150:], True)
    assert listing.extend_above(rows[150].id, rows[:150], limit=150) == 150
    assert (listing.rows, listing.has_more) == (rows[:WINDOW], True)


def test_arrivals_are_not_counted_far_from_the_head() -> None:
    rows = make_rows(9)
    listing = make_listing(rows, limit=3)
    listing.jump(rows[6:], limit=3, to_end=True)

    listing.hear(tuple(make_rows(12)[:3]), limit=3)

    assert listing.arrived == 0


def test_full_page_means_that_there_may_be_more() -> None:
    assert make_listing(make_rows(3), limit=3).has_more
    assert not make_listing(make_rows(2), limit=3).has_more


def test_place_of_finds_a_task_by_its_id() -> None:
    rows = make_rows(3)
    listing = make_listing(rows)

    assert [listing.place_of(row.id) for row in rows] == [0, 1, 2]
    assert listing.place_of(None) is None
