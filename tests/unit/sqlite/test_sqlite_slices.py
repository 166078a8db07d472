"""Wide statements are cut so that few of them are ever prepared, and nothing is lost between two."""

import pytest

from sitq.backends.sqlite.tasks import slices

SIZES = [0, 1, 2, 3, 7, 31, 32, 33, 127, 128, 129, 255, 1000, 1023]


@pytest.mark.parametrize("size", SIZES)
def test_slices_hold_every_row_once_and_in_order(size: int) -> None:
    rows = list(range(size))

    assert [row for slice_ in slices(rows, 128) for row in slice_] == rows


def test_lengths_of_slices_are_few() -> None:
    lengths = {len(slice_) for size in SIZES for slice_ in slices(range(size), 128)}

    assert lengths == {1, 2, 4, 8, 16, 32, 64, 128}


def test_slices_are_as_wide_as_they_can_be() -> None:
    assert [len(slice_) for slice_ in slices(range(300), 128)] == [128, 128, 32, 8, 4]
