"""Draws numbers as bars of text."""

from collections.abc import Sequence

_HEIGHTS = "▁▂▃▄▅▆▇█"
_EIGHTHS = "▏▎▍▌▋▊▉█"
NOTHING = "·"


def upright(values: Sequence[float], width: int, *, top: float | None = None) -> str:
    """Draw the last values as bars of one cell each; what is nothing is a dot.

    Args:
        top: the value of a full bar; the highest one unless given.
    """
    shown = values[-width:] if width > 0 else ()
    full = top or max(shown, default=0.0)
    return "".join(_bar(value / full) if full > 0 else NOTHING for value in shown)


def lying(part: float, width: int) -> str:
    """Draw a part of a whole as a bar of at most `width` cells."""
    eighths = round(min(max(part, 0.0), 1.0) * width * 8)
    if part > 0:
        eighths = max(eighths, 1)
    full, rest = divmod(eighths, 8)
    return _EIGHTHS[-1] * full + (_EIGHTHS[rest - 1] if rest else "")


def _bar(height: float) -> str:
    if height <= 0:
        return NOTHING
    return _HEIGHTS[min(int(height * len(_HEIGHTS)), len(_HEIGHTS) - 1)]
