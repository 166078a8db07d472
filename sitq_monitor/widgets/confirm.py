"""The question before anything is changed. It does nothing by itself: it answers yes or no."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from sitq_monitor.question import Question


class ConfirmAction(ModalScreen[bool]):
    """Asks whether to go on. The way back has the focus, so that a stray Enter changes nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", "yes"),
        Binding("escape,n,q", "no", "no"),
        Binding("left,right", "app.focus_next", "other button"),
    ]

    def __init__(self, question: Question) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        asked = self._question
        with Vertical(id="dialog"):
            yield Static(asked.question, id="question", markup=False)
            yield Static(asked.subject, id="subject", markup=False)
            if asked.typed:
                yield Static(f"Type {asked.typed} to go on:", id="typing", markup=False)
                yield Input(id="typed", compact=True, restrict="[0-9]*", select_on_focus=False)
            with Horizontal(id="answers"):
                yield Button("Back  Esc", id="back", compact=True)
                yield Button(f"{asked.verb}{'' if asked.typed else '  y'}", id="go", compact=True)

    def on_mount(self) -> None:
        self.query_one("#typed" if self._question.typed else "#back").focus()

    @on(Button.Pressed)
    def answer(self, event: Button.Pressed) -> None:
        if event.button.id == "go":
            self.action_yes()
        else:
            self.action_no()

    @on(Input.Submitted)
    def action_yes(self) -> None:
        if self._is_sure():
            self.dismiss(True)

    def action_no(self) -> None:
        self.dismiss(False)

    def _is_sure(self) -> bool:
        typed = self._question.typed
        return not typed or self.query_one("#typed", Input).value == typed
