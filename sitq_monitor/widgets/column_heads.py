"""The titles above the table's columns."""

from textual.app import RenderResult
from textual.widget import Widget

from sitq_monitor.columns import GAP, GUTTER, columns_for
from sitq_monitor.widgets.cells import fit
from sitq_monitor.widgets.paint import write

SCROLLBAR = 1


class ColumnHeads(Widget):
    """Stands above a `TaskTable` of the same width and names what it shows."""

    ALLOW_SELECT = False

    def render(self) -> RenderResult:
        columns = columns_for(self.size.width - SCROLLBAR)
        titles = (fit(column.title, column.width, right=column.right) for column in columns)
        return write(self, [(" " * GUTTER + (" " * GAP).join(titles), "faint")])
