"""A live table of tasks under a cell: widgets where the front end has them, else HTML that is drawn anew."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol

from sitq.core import TaskStatus
from sitq.notebook.buttons import Actions, Buttons
from sitq.notebook.display import Glance, panel_html, panel_lines, panel_text

_ROWS = 20
_FAST = 0.2  # seconds between two looks, with widgets
_SLOW = 0.5  # and with HTML, which is sent as a whole
_RARE = 5.0  # and where that HTML is hidden


class Source(Actions, Protocol):
    """What a panel shows, and what its buttons do; called on any thread, and it must not wait long."""

    def look(self, limit: int) -> Glance | None: ...


class View(Protocol):
    """One way to show a panel.

    Attributes:
        interval: seconds between two looks.
        live: what it shows changes.
    """

    interval: float
    live: bool

    def show(self, glance: Glance) -> None: ...

    def finish(self) -> None: ...


class Panel:
    """Keeps a view up to date from a thread of its own, until it is stopped or all that it shows is done.

    Args:
        source: what to show.
        rows: how many tasks at most; with 0 it is one line for all.
        sharing: tells how many panels are drawn, itself among them; each looks the more seldom.
    """

    def __init__(self, source: Source, *, rows: int = _ROWS, sharing: Callable[[], int] = lambda: 1) -> None:
        self._source = source
        self._rows = rows
        self._sharing = sharing
        self._view = _view_for(source, rows)
        self._stopped = threading.Event()
        self._drawing = threading.Lock()  # so that what was seen last is shown last
        self._draw()
        threading.Thread(target=self._keep_drawing, name="sitq-view", daemon=True).start()

    @property
    def live(self) -> bool:
        """What it shows changes, as it does everywhere but in a terminal."""
        return self._view.live

    @property
    def ended(self) -> bool:
        return self._stopped.is_set()

    def stop(self) -> None:
        """Draw once more and end."""
        if not self._stopped.is_set():
            self._stopped.set()
            self._draw()

    def _keep_drawing(self) -> None:
        while not self._stopped.wait(self._view.interval * self._sharing()):
            self._draw()

    def _draw(self) -> None:
        with self._drawing:
            glance = self._source.look(self._rows)
            if glance is not None:
                self._view.show(glance)
                if glance.done == 1.0:
                    self._stopped.set()
            if self._stopped.is_set():
                self._view.finish()


def _view_for(source: Source, rows: int) -> View:
    """Choose the best view that this place has."""
    try:
        import IPython
    except ImportError:
        return _TextView()
    shell = IPython.get_ipython()
    if shell is None or getattr(shell, "kernel", None) is None:
        return _TextView()
    try:
        import ipywidgets
    except ImportError:
        return _HtmlView()
    return _WidgetView(Buttons(ipywidgets, source, rows), ipywidgets)


class _TextView:
    """A terminal or a script: one snapshot, since a terminal belongs to who types in it."""

    interval = 3600.0
    live = False

    def __init__(self) -> None:
        self._shown = False

    def show(self, glance: Glance) -> None:
        if not self._shown:
            self._shown = True
            print(panel_text(glance, datetime.now(UTC)))  # noqa: T201  # that is how a terminal shows things

    def finish(self) -> None:
        """Leave it as it is."""


class _HtmlView:
    """HTML that takes its own place again; it works in every notebook and stays in the saved file.

    Args:
        place: class of the element that holds it.
    """

    interval = _SLOW
    live = True

    def __init__(self, place: str = "sitq-html") -> None:
        from IPython.display import display

        self._place = place
        self._handle: Any = display({"text/html": "", "text/plain": ""}, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        self._html = ""

    def show(self, glance: Glance) -> None:
        now = datetime.now(UTC)
        html = f'<div class="{self._place}">{panel_html(glance, now)}</div>'
        if html != self._html:
            self._html = html
            self._handle.update({"text/html": html, "text/plain": panel_text(glance, now)}, raw=True)

    def finish(self) -> None:
        """Leave it as it is."""


class _WidgetView:
    """All lines as one text, a column of buttons beside it, and below them the same as HTML.

    A look sends one message at most: with a widget for each place in the table, twenty tasks that ran made a hundred
    messages a second.

    The HTML is for the saved file, and for front ends that know no widgets. The widgets hide it: they bring a style for
    its place. It is not in the output of the widgets, which the front end would draw anew with each change of it.
    """

    interval = _FAST
    live = True

    def __init__(self, buttons: Buttons, widgets: Any) -> None:
        from IPython.display import display

        self._text = widgets.HTML(layout=widgets.Layout(margin="0", flex="1 1 auto", max_width="880px", min_width="0"))
        self._buttons = buttons
        self._box = widgets.HBox([self._text, buttons.column], _view_count=0)  # so that front ends count their views
        self._box.add_class("sitq-panel")
        place = f"sitq-{self._box.model_id}"
        self._style = f"<style>.{place} {{ display: none; }}</style>"
        view = {"version_major": 2, "version_minor": 0, "model_id": self._box.model_id}
        display({"application/vnd.jupyter.widget-view+json": view}, raw=True)  # type: ignore[no-untyped-call]
        self._html = _HtmlView(place)
        self._lines = _Part(self._put_text)
        self._column = _Part(buttons.put)
        self._kept = _Part(self._html.show)
        self._statuses: list[tuple[str, TaskStatus]] = []
        self._keep_at = 0.0
        self._last: Glance | None = None
        self._sent: _Part | None = None  # by the last look
        self._others = [self._column, self._kept]  # the one that was sent last is the last

    def show(self, glance: Glance) -> None:
        self._lines.wanted = self._style + panel_lines(glance, datetime.now(UTC))
        self._column.wanted = self._buttons.of(glance.tasks)
        first, self._last = self._last is None, glance
        self._keep_now_and_then(glance)
        if first:
            self._send_all()
        else:
            self._send_one()

    def finish(self) -> None:
        """Send all that has changed."""
        self._kept.wanted = self._last
        self._send_all()

    def _keep_now_and_then(self, glance: Glance) -> None:
        """Show the HTML anew when a task has another status, and else less often than the widgets."""
        statuses = [(info.id, info.status) for info in glance.tasks]
        if statuses != self._statuses or time.monotonic() >= self._keep_at:
            self._statuses, self._keep_at = statuses, time.monotonic() + (_RARE if self._box._view_count else _SLOW)
            self._kept.wanted = glance

    def _send_all(self) -> None:
        for part in (self._lines, self._column, self._kept):
            part.send_change()

    def _send_one(self) -> None:
        """Send the text at every second look at least, and else what has waited longest."""
        parts = [*self._others, self._lines] if self._sent is self._lines else [self._lines, *self._others]
        self._sent = next((part for part in parts if part.send_change()), None)
        self._others.sort(key=lambda part: part is self._sent)

    def _put_text(self, html: str) -> None:
        self._text.value = html


class _Part:
    """Something of a view that is sent as a whole, and only when it has changed."""

    def __init__(self, send: Callable[[Any], None]) -> None:
        self._send = send
        self._sent: Any = None
        self.wanted: Any = None

    def send_change(self) -> bool:
        """Send it if it has changed, and tell whether it had."""
        if self.wanted == self._sent:
            return False
        self._send(self.wanted)
        self._sent = self.wanted
        return True
