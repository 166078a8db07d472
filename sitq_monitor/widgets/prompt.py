"""Asks a person for one line of text."""

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

PRINTABLE = r"[^\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f]*"
"""What may be typed or pasted into a line: nothing that a terminal would obey."""


class Prompt(ModalScreen[str | None]):
    """Asks for a line; answers None when nobody wants to write one.

    Args:
        title: what is asked for.
        hint: what would be right.
        value: what stands there at first.
        check: says what is wrong with an answer, or "".
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "back")]

    def __init__(
        self, title: str, *, hint: str, value: str = "", check: Callable[[str], str] = lambda text: ""
    ) -> None:
        super().__init__()
        self._title, self._hint, self._value, self._check = title, hint, value, check

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Static(self._title, id="question", markup=False)
            yield Static(self._hint, id="subject", markup=False)
            yield Input(self._value, id="line", compact=True, restrict=PRINTABLE, select_on_focus=False)

    @on(Input.Submitted)
    def answer(self, event: Input.Submitted) -> None:
        if trouble := self._check(event.value.strip()):
            self.query_one("#subject", Static).update(trouble)
        else:
            self.dismiss(event.value.strip())
