"""The line in which a filter is written, with the filters used before and the words that fit."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Input

from sitq.core import TaskStatus
from sitq.sanitize import Clean
from sitq_monitor.language import EXCEPTED, QUALIFIERS
from sitq_monitor.widgets.prompt import PRINTABLE


class FilterBar(Input):
    """Takes a filter; Up and Down go through those used before."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "give_up", "back"),
        Binding("up", "past(1)", "filter used before"),
        Binding("down", "past(-1)", "filter used after"),
    ]

    class Written(Message):
        """A filter is to be used; None leaves the one that was."""

        def __init__(self, text: str | None) -> None:
            self.text = text
            super().__init__()

    def __init__(self, *, id: str) -> None:
        self._words = Words()
        super().__init__(
            id=id, compact=True, restrict=PRINTABLE, suggester=self._words, select_on_focus=False,
            placeholder="state: name: queue: tag: since: until: or any text",
        )  # fmt: skip
        self._past: Sequence[str] = ()
        self._place = -1

    def open(self, text: str, past: Sequence[str]) -> None:
        """Begin to write, from what there is."""
        self.value = f"{text} " if text else ""
        self._past, self._place = past, -1
        self.cursor_position = len(self.value)
        self.screen.set_focus(self)

    def know(self, queues: Iterable[Clean], names: Iterable[Clean]) -> None:
        """Take these as words to suggest."""
        self._words.know(queues, names)

    def action_past(self, by: int) -> None:
        if self._past:
            self._place = min(max(self._place + by, -1), len(self._past) - 1)
            self.value = self._past[self._place] if self._place >= 0 else ""
            self.cursor_position = len(self.value)

    def action_give_up(self) -> None:
        self.post_message(self.Written(None))

    @on(Input.Submitted)
    def use(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Written(event.value.strip()))


class Words(Suggester):
    """Suggests how the last word of a filter may go on."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._values: dict[str, tuple[str, ...]] = {"state": tuple(TaskStatus)}

    def know(self, queues: Iterable[Clean], names: Iterable[Clean]) -> None:
        self._values |= {"queue": tuple(queues), "name": tuple(names)}

    async def get_suggestion(self, value: str) -> str | None:
        start, _, word = value.rpartition(" ")
        start = f"{start} " if start else ""
        if not word:
            return None
        qualifier, colon, begun = word.partition(":")
        if not colon:
            return next((f"{start}{one}:" for one in (*QUALIFIERS, *EXCEPTED) if one.startswith(word)), None)
        values = (
            one for one in self._values.get(qualifier.removeprefix("-"), ()) if one.startswith(begun) and " " not in one
        )
        return next((f"{start}{qualifier}:{one}" for one in values), None)
