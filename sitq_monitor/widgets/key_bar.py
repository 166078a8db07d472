"""The bottom line: the keys that matter most, as many as fit; a click on one does the same."""

from typing import ClassVar

from textual import events
from textual.app import RenderResult
from textual.reactive import reactive
from textual.widget import Widget

from sitq_monitor.keys import Key
from sitq_monitor.widgets.paint import CLASSES, write


class KeyBar(Widget):
    """Names keys, in the order of their weight."""

    COMPONENT_CLASSES: ClassVar[set[str]] = CLASSES
    ALLOW_SELECT = False

    keys: reactive[tuple[Key, ...]] = reactive(())

    def render(self) -> RenderResult:
        return write(
            self,
            [part for key in self.keys for part in ((f" {key.shown}", "accent"), (f" {key.hint} ", "muted"))],
        ).truncate(self.size.width)

    def on_click(self, event: events.Click) -> None:
        edge = 0
        for key in self.keys:
            edge += len(key.shown) + len(key.hint) + 3
            if event.x < edge:
                self.app.simulate_key(key.keys.partition(",")[0])
                return
