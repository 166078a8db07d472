"""The names of styles that all widgets share; `monitor.tcss` says what each looks like."""

from collections.abc import Iterable
from dataclasses import replace

from rich.style import Style as RichStyle
from textual.content import Content
from textual.css.styles import StylesBase
from textual.style import Style
from textual.widget import Widget

NAMES = (
    *("running", "success", "failed", "warning"),
    *("name", "muted", "faint", "accent", "strong", "title", "tab", "cursor", "cursor-blurred", "mark"),
)
CLASSES = {f"paint--{name}" for name in NAMES}
"""Every screen has these as its component classes: on each widget they would be most of what styling it costs."""

Part = tuple[str, str]
"""Clean text and the name of its style."""


def paint(widget: Widget, *names: str) -> Style:
    """Look a style up as it is on this widget's background; where several are named, the later ones win."""
    style = widget.visual_style
    for name in filter(None, names):
        style += _set_by(widget.screen.get_component_styles(f"paint--{name}"))
    return style


def _set_by(rules: StylesBase) -> Style:
    """Take what rules set, and let the colour below show through where they set none."""
    style = Style.from_styles(rules)
    return style if rules.has_rule("color") else replace(style, foreground=None)


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
