"""bars: numbers as text, exactly as wide as asked."""

import pytest

from sitq_monitor.bars import lying, upright


def test_upright_bars_are_as_high_as_their_part_of_the_highest() -> None:
    assert upright([0, 1, 4, 8], 4) == "·▂▅█"
    assert upright([1, 1], 2, top=2) == "▅▅"


def test_upright_bars_show_the_last_values() -> None:
    assert upright([8, 0, 8], 2) == "·█"
    assert upright([], 5) == upright([1], 0) == ""


@pytest.mark.parametrize(
    ("part", "bar"), [(0.0, ""), (0.001, "▏"), (0.5, "██"), (0.6, "██▍"), (1.0, "████"), (7.0, "████")]
)
def test_lying_bar_is_that_part_of_the_width(part: float, bar: str) -> None:
    assert lying(part, 4) == bar
