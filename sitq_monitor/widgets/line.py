"""One line of the screen with something at its left and something at its right."""

from textual.app import RenderResult
from textual.content import Content
from textual.widget import Widget

from sitq_monitor.widgets.paint import Part, write


class Line(Widget):
    """Draws parts at both ends; when they do not fit, the right end keeps its place and the left is cut."""

    ALLOW_SELECT = False

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.left: tuple[Part, ...] = ()
        self.right: tuple[Part, ...] = ()

    def say(self, left: tuple[Part, ...], right: tuple[Part, ...] = ()) -> None:
        """Draw these parts from now on; nothing is sent to the terminal when they are what is there."""
        if (left, right) != (self.left, self.right):
            self.left, self.right = left, right
            self.refresh()

    def render(self) -> RenderResult:
        width = self.size.width
        right = write(self, self.right).truncate(width)
        room = width - right.cell_length
        left = write(self, self.left).truncate(max(room - 1, 0), ellipsis=True)
        return Content.assemble(left, " " * (room - left.cell_length), right)
