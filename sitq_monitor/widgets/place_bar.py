"""The line in which a place of the list is written, where the hints stand otherwise."""

from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

from sitq_monitor.widgets.prompt import PRINTABLE


class PlaceBar(Input):
    """Takes a place, and stays until that is on the screen, so that all is painted once; a dialog has it painted twice.

    Attributes:
        has_sent: a place was written and is waited for.
    """

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
        self.has_sent = False

    def show(self, on: bool) -> None:
        """Begin to write, or end."""
        self.value, self.has_sent, self.display = "", False, on

    def action_give_up(self) -> None:
        self.post_message(self.Written(None))

    @on(Input.Submitted)
    def use(self, event: Input.Submitted) -> None:
        event.stop()
        self.has_sent = True
        self.post_message(self.Written(event.value.strip()))
