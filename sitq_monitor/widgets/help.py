"""The page of keys, made from the same table as the bindings."""

from collections.abc import Iterator
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from sitq_monitor.keys import groups
from sitq_monitor.widgets.paint import CLASSES, Part, write

SHOWN_WIDTH = 8


class HelpScreen(ModalScreen[None]):
    """Lists every key of this monitor by what it is for."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,question_mark,q", "app.pop_screen", "close")]
    COMPONENT_CLASSES: ClassVar[set[str]] = CLASSES

    def __init__(self, *, read_only: bool) -> None:
        super().__init__()
        self._read_only = read_only
        self._text = Static(markup=False)

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help"):
            yield self._text

    def on_mount(self) -> None:
        self._text.update(write(self._text, help_parts(read_only=self._read_only)))
        self.query_one("#help").focus()


def help_parts(*, read_only: bool) -> Iterator[Part]:
    """Write the table of keys down."""
    for place, (name, keys) in enumerate(groups(read_only=read_only)):
        yield ("\n" if place else "") + f"{name}\n", "title"
        for key in keys:
            yield f"  {key.shown:<{SHOWN_WIDTH}}", "accent"
            yield f" {key.label}\n", "name"
