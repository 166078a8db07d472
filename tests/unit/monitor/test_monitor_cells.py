"""cells: text is padded or cut to exactly the cells it is given."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from sitq.sanitize import clean
from sitq_monitor.widgets.cells import fit, shorten

CLEAN_TEXT = st.text(st.characters(exclude_categories=()), max_size=60).map(clean)


@given(CLEAN_TEXT, st.integers(min_value=1, max_value=40), st.booleans(), st.booleans())
def test_fit_takes_exactly_its_cells(text: str, width: int, right: bool, dotted: bool) -> None:
    assert cell_len(fit(text, width, right=right, dotted=dotted)) == width


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [("Crawler.fetch", 20, "Crawler.fetch"), ("Crawler.fetch", 8, "Crawler…"), ("数据库", 4, "数 …")],
)
def test_shorten_marks_the_cut_at_the_end(text: str, width: int, shown: str) -> None:
    assert shorten(text, width) == shown


@pytest.mark.parametrize(
    ("width", "shown"), [(26, "app.jobs.mail.send_invoice"), (24, "…jobs.mail.send_invoice "), (13, "…send_invoice")]
)
def test_dotted_names_lose_their_first_parts(width: int, shown: str) -> None:
    assert fit("app.jobs.mail.send_invoice", width, dotted=True) == shown


def test_numbers_stand_at_the_right() -> None:
    assert fit("12s", 5, right=True) == "  12s"
