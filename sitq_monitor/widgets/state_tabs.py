"""The tabs of states, each with its count; they give up words and then digits as the screen narrows."""

from collections.abc import Callable

from textual import events
from textual.app import RenderResult
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from sitq.core import TaskStatus
from sitq_monitor.format import count, face
from sitq_monitor.model import STATES, Counts
from sitq_monitor.widgets.paint import Part, write


class StateTabs(Widget):
    """Shows which state is looked at, and how many tasks there are of each."""

    ALLOW_SELECT = False

    state: reactive[TaskStatus | None] = reactive(None)
    counts: reactive[Counts] = reactive(Counts())

    class Chosen(Message):
        """Somebody chose a state."""

        def __init__(self, state: TaskStatus | None) -> None:
            self.state = state
            super().__init__()

    def render(self) -> RenderResult:
        return write(self, [part for tab in self._fitting() for part in tab])

    def on_click(self, event: events.Click) -> None:
        edge = 0
        for state, tab in zip(STATES, self._fitting(), strict=True):
            edge += _width(tab)
            if event.x < edge:
                self.post_message(self.Chosen(state))
                return

    def _fitting(self) -> list[list[Part]]:
        """The most talkative drawing that fits."""
        styles: tuple[tuple[Callable[[int], str], Callable[[TaskStatus | None], bool]], ...] = (
            ("{:,}".format, lambda state: True),
            (count, lambda state: True),
            (count, lambda state: state == self.state),
            (count, lambda state: False),
        )
        for number, has_word in styles:
            tabs = [self._tab(place, state, number, has_word(state)) for place, state in enumerate(STATES, start=1)]
            if sum(map(_width, tabs)) <= self.size.width:
                break
        return tabs

    def _tab(self, place: int, state: TaskStatus | None, number: Callable[[int], str], has_word: bool) -> list[Part]:
        look = face(state.value) if state else None
        glyph, word = (look.glyph, look.word) if look else ("", "all")
        told = " ".join(part for part in (glyph, word if has_word or not glyph else "") if part)
        amount = ("~" if self.counts.approximate else "") + number(self.counts.of(state))
        if state == self.state:
            return [(f" {place} {told} {amount} ", "tab")]
        return [(f" {place} ", "faint"), (told, look.style if look else "name"), (f" {amount} ", "muted")]


def _width(parts: list[Part]) -> int:
    return sum(len(text) for text, _ in parts)
