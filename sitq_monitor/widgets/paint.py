"""The names of styles that all widgets share; `monitor.tcss` says what each looks like."""

from collections.abc import Iterable

from rich.style import Style as RichStyle
from textual.content import Content
from textual.style import Style
from textual.widget import Widget

NAMES = (
    *("running", "success", "failed", "warning"),
    *("name", "muted", "faint", "accent", "strong", "title", "tab", "cursor", "cursor-blurred", "mark"),
)
CLASSES = {f"paint--{name}" for name in NAMES}
"""Every widget that paints has these as its component classes."""

Part = tuple[str, str]
"""Clean text and the name of its style."""


def paint(widget: Widget, *names: str) -> Style:
    """Look a style up as it is on this widget's background; where several are named, the later ones win."""
    return widget.get_visual_style(*(f"paint--{name}" for name in names if name))


class Palette:
    """Looks styles up once: for a table of many cells the look-up costs more than the drawing."""

    def __init__(self, widget: Widget) -> None:
        self._widget = widget
        self._styles: dict[tuple[str, ...], RichStyle] = {}

    def __call__(self, *names: str) -> RichStyle:
        style = self._styles.get(names)
        if style is None:
            style = self._styles[names] = paint(self._widget, *names).rich_style
        return style

    def clear(self) -> None:
        """Look all up anew, in another theme."""
        self._styles.clear()


def write(widget: Widget, parts: Iterable[Part]) -> Content:
    """Put parts together. Text is never read as markup."""
    return Content.assemble(*((text, paint(widget, name)) for text, name in parts))
