"""The bottom line: the keys that matter most, as many as fit; a click on one does the same."""

from collections.abc import Iterator
from itertools import accumulate

from textual import events
from textual.app import RenderResult
from textual.reactive import reactive
from textual.widget import Widget

from sitq_monitor.keys import Key
from sitq_monitor.widgets.paint import write


class KeyBar(Widget):
    """Names keys, in the order of their weight."""

    ALLOW_SELECT = False

    keys: reactive[tuple[Key, ...]] = reactive(())

    def render(self) -> RenderResult:
        return write(
            self,
            [part for key in self._fitting() for part in ((f" {key.shown}", "accent"), (f" {key.hint} ", "muted"))],
        )

    def on_click(self, event: events.Click) -> None:
        edge = 0
        for key in self._fitting():
            edge += _width(key)
            if event.x < edge:
                self.app.simulate_key(key.keys.partition(",")[0])
                return

    def _fitting(self) -> Iterator[Key]:
        """The first keys, as many as the line holds whole."""
        edges = accumulate(map(_width, self.keys))
        return (key for key, edge in zip(self.keys, edges, strict=True) if edge <= self.size.width)


def _width(key: Key) -> int:
    return len(key.shown) + len(key.hint) + 3
