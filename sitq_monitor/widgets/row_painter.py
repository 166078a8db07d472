"""Draws the lines of a table, and remembers what it has drawn."""

from collections.abc import Sequence

from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from sitq_monitor.columns import GAP, GUTTER, Cell, Column
from sitq_monitor.widgets.cells import fit
from sitq_monitor.widgets.paint import Palette

CURSOR, MARK = "▌", "◆"
_LIMIT = 1_000


class RowPainter:
    """Draws cells as a line of a widget.

    Args:
        widget: on whose background it is drawn; see `Palette`.
    """

    def __init__(self, widget: Widget) -> None:
        self._palette = Palette(widget)
        self._strips: dict[tuple[object, ...], Strip] = {}

    def draw(
        self, columns: Sequence[Column], cells: tuple[Cell, ...], width: int, *, base: str = "", marked: bool = False
    ) -> Strip:
        """Draw a line.

        Args:
            base: the style of the cursor, on its line.
        """
        key = (width, base, marked, cells)
        strip = self._strips.get(key)
        if strip is None:
            if len(self._strips) >= _LIMIT:
                self._strips.clear()
            strip = self._strips[key] = self._new(columns, cells, width, base, marked)
        return strip

    def clear(self) -> None:
        """Forget all, when the colours are others."""
        self._palette.clear()
        self._strips.clear()

    def _new(self, columns: Sequence[Column], cells: tuple[Cell, ...], width: int, base: str, marked: bool) -> Strip:
        gutter = fit((CURSOR if base else " ") + (MARK if marked else " "), GUTTER)
        segments = [Segment(gutter, self._palette("mark", base))]
        for column, cell in zip(columns, cells, strict=True):
            text = fit(cell.text, column.width, right=column.right, dotted=column.dotted)
            segments.append(Segment(text + " " * GAP, self._palette(cell.style, base)))
        return Strip(segments).adjust_cell_length(width, segments[-1].style)
