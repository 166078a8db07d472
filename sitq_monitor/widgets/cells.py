"""Fits clean text into a number of terminal cells, as Textual counts them."""

from rich.cells import cell_len, set_cell_size

ELLIPSIS = "…"


def fit(text: str, width: int, *, right: bool = False, dotted: bool = False) -> str:
    """Pad or shorten text to exactly `width` cells.

    Args:
        right: pad at the left.
        dotted: a dotted name, of which the last parts say most.
    """
    shown = shorten(_drop_first_parts(text, width) if dotted else text, width)
    padding = " " * (width - cell_len(shown))
    return padding + shown if right else shown + padding


def shorten(text: str, width: int) -> str:
    """Cut text that is too long to `width` cells, and mark the cut."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1) + ELLIPSIS


def _drop_first_parts(name: str, width: int) -> str:
    shown, rest = name, name
    while cell_len(shown) > width and "." in rest:
        rest = rest.partition(".")[2]
        shown = ELLIPSIS + rest
    return shown
