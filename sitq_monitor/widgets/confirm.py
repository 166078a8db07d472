"""The question before anything is changed. It does nothing by itself: it answers yes or no."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from sitq_monitor.phrases import Question


class ConfirmAction(ModalScreen[bool]):
    """Asks whether to go on. The way back has the focus, so that a stray Enter changes nothing.

    Args:
        question: what would be done, and to what.
        verb: what the button that goes on says.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "yes"),
        Binding("escape,n,q", "answer(False)", "no"),
        Binding("left,right", "app.focus_next", "other button"),
    ]

    def __init__(self, question: Question, *, verb: str) -> None:
        super().__init__()
        self._question, self._verb = question, verb

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Static(self._question.question, id="question", markup=False)
            yield Static(self._question.subject, id="subject", markup=False)
            with Horizontal(id="answers"):
                yield Button("Back  Esc", id="back", compact=True)
                yield Button(f"{self._verb.capitalize()}  y", id="go", compact=True)

    def on_mount(self) -> None:
        self.query_one("#back").focus()

    @on(Button.Pressed)
    def answer(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "go")

    def action_answer(self, yes: bool) -> None:
        self.dismiss(yes)
