"""The line in which a place of the list is written, where the hints stand otherwise."""

from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

from sitq_monitor.widgets.prompt import PRINTABLE


class PlaceBar(Input):
    """Takes a place. It is no dialog: one that comes and goes has the whole screen painted twice."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "give_up", "back")]

    class Written(Message):
        """A place to go to; None is to stay."""

        def __init__(self, text: str | None) -> None:
            self.text = text
            super().__init__()

    def __init__(self, *, id: str) -> None:
        super().__init__(
            id=id, compact=True, restrict=PRINTABLE, select_on_focus=False,
            placeholder="go to 30m or 7d ago, 14:30, 2026-03-01, a part like 50%, or end",
        )  # fmt: skip

    def open(self) -> None:
        """Begin to write."""
        self.value = ""
        self.screen.set_focus(self)

    def action_give_up(self) -> None:
        self.post_message(self.Written(None))

    @on(Input.Submitted)
    def use(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Written(event.value.strip()))
