"""What a worker has put below cells: one panel of its newest tasks, and a bar for each map."""

from typing import Any

from sitq.notebook.handle import LiveHandles
from sitq.notebook.panel import Panel, Source


class Screen:
    """The views of one worker that are still drawn. Together they send no more messages than one."""

    def __init__(self) -> None:
        self.panel: Panel | None = None
        self.bars: list[Panel] = []

    def show(self, source: Source) -> None:
        """Show the panel below this cell, and no longer where it was."""
        if self.panel is not None:
            self.panel.stop()
        self.panel = Panel(source, sharing=self._drawn)

    def show_bar(self, handles: LiveHandles[Any]) -> None:
        """Show one bar for these below this cell, if the panel is shown, and live."""
        if handles and self.panel is not None and self.panel.live:
            self.bars = [bar for bar in self.bars if not bar.ended]
            self.bars.append(Panel(handles.as_group(), rows=0, sharing=self._drawn))

    def _drawn(self) -> int:
        return max(1, sum(not view.ended for view in (self.panel, *self.bars) if view is not None))

    def close(self) -> None:
        """Draw all once more and leave them as they are."""
        for view in self.bars:
            view.stop()
        if self.panel is not None:
            self.panel.stop()
        self.panel, self.bars = None, []
