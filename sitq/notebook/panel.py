"""A live table of tasks under a cell: widgets where the front end has them, else HTML that is drawn anew."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol

from sitq.core import TaskStatus
from sitq.notebook.display import (
    NAME_WIDTH,
    STATE_WIDTH,
    Glance,
    headline_html,
    panel_html,
    panel_text,
    part_done,
    state_of,
)
from sitq.views import TaskInfo

_ROWS = 20
_FAST = 0.2  # seconds between two looks, with widgets
_SLOW = 0.5  # and with HTML, which is sent as a whole
_RARE = 5.0  # and where that HTML is hidden
_STYLES = {TaskStatus.SUCCESS: "success", TaskStatus.FAILED: "danger", TaskStatus.CANCELLED: "warning"}


class Source(Protocol):
    """What a panel shows, and what its buttons do; called on any thread, and it must not wait long."""

    def look(self, limit: int) -> Glance | None: ...

    def cancel(self, task_id: str) -> object: ...

    def requeue(self, task_id: str) -> object: ...


class View(Protocol):
    """One way to show a panel."""

    interval: float

    def show(self, glance: Glance) -> None: ...


class Panel:
    """Keeps a view up to date from a thread of its own, until it is stopped or all that it shows is done.

    Args:
        source: what to show.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._view = _view_for(source)
        self._stopped = threading.Event()
        self._drawing = threading.Lock()  # so that what was seen last is shown last
        self._draw()
        threading.Thread(target=self._keep_drawing, name="sitq-view", daemon=True).start()

    def stop(self) -> None:
        """Draw once more and end."""
        if not self._stopped.is_set():
            self._stopped.set()
            self._draw()

    def _keep_drawing(self) -> None:
        while not self._stopped.wait(self._view.interval):
            self._draw()

    def _draw(self) -> None:
        with self._drawing:
            glance = self._source.look(_ROWS)
            if glance is not None:
                self._view.show(glance)
                if glance.done == 1.0:
                    self._stopped.set()


def _view_for(source: Source) -> View:
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
    return _WidgetView(source, ipywidgets)


class _TextView:
    """A terminal or a script: one snapshot, since a terminal belongs to who types in it."""

    interval = 3600.0

    def __init__(self) -> None:
        self._shown = False

    def show(self, glance: Glance) -> None:
        if not self._shown:
            self._shown = True
            print(panel_text(glance, datetime.now(UTC)))  # noqa: T201  # that is how a terminal shows things


class _HtmlView:
    """HTML that takes its own place again; it works in every notebook and stays in the saved file.

    Args:
        place: class of the element that holds it.
    """

    interval = _SLOW

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


class _WidgetView:
    """A table of ipywidgets, of which only what changed is sent, and below it the same as HTML.

    The HTML is for the saved file, and for front ends that know no widgets. The widgets hide it: they bring a style for
    its place. It is not in the output of the widgets, which the front end would draw anew with each change of it.
    """

    interval = _FAST

    def __init__(self, source: Source, widgets: Any) -> None:
        from IPython.display import display

        self._headline = widgets.HTML()
        self._rows = [_Row(widgets, source) for _ in range(_ROWS)]
        self._box = widgets.VBox([self._headline], _view_count=0)  # so that front ends count the views that they draw
        self._box.add_class("sitq-panel")
        place = f"sitq-{self._box.model_id}"
        self._style = f"<style>.{place} {{ display: none; }}</style>"
        view = {"version_major": 2, "version_minor": 0, "model_id": self._box.model_id}
        display({"application/vnd.jupyter.widget-view+json": view}, raw=True)  # type: ignore[no-untyped-call]
        self._html = _HtmlView(place)
        self._kept: list[tuple[str, TaskStatus]] = []
        self._keep_at = 0.0

    def show(self, glance: Glance) -> None:
        now = datetime.now(UTC)
        for row, info in zip(self._rows, glance.tasks, strict=False):
            row.show(info, now)
        self._headline.value = self._style + headline_html(glance)
        if len(self._box.children) != len(glance.tasks) + 1:
            self._box.children = (self._headline, *(row.box for row in self._rows[: len(glance.tasks)]))
        self._keep(glance)

    def _keep(self, glance: Glance) -> None:
        """Show the HTML anew: at once when a task has another status, and else less often than the widgets."""
        statuses = [(info.id, info.status) for info in glance.tasks]
        if statuses != self._kept or time.monotonic() >= self._keep_at:
            self._kept, self._keep_at = statuses, time.monotonic() + (_RARE if self._box._view_count else _SLOW)
            self._html.show(glance)


class _Row:
    """The widgets of one line, which shows one task now and perhaps another one later."""

    def __init__(self, widgets: Any, source: Source) -> None:
        self._source = source
        self._task_id = ""
        self._bar = widgets.FloatProgress(min=0.0, max=1.0, layout=widgets.Layout(width="160px"))
        self._name, self._state = (widgets.HTML(layout=_width(widgets, width)) for width in (NAME_WIDTH, STATE_WIDTH))
        self._cancel = self._button(widgets, "Cancel", "sitq-cancel", source.cancel)
        self._requeue = self._button(widgets, "Requeue", "sitq-requeue", source.requeue)
        self.box = widgets.HBox([self._name, self._bar, self._state, self._cancel, self._requeue])

    def show(self, info: TaskInfo, now: datetime) -> None:
        if info.id != self._task_id:
            self._task_id = info.id
            self._cancel.disabled = self._requeue.disabled = False
        self._name.value, self._state.value = state_of(info, now)
        self._bar.value = part_done(info) or 0.0
        self._bar.bar_style = _STYLES.get(info.status, "info")
        self._offer(info.status)
        if info.status.is_final:
            self._cancel.disabled = False
        else:
            self._requeue.disabled = False

    def _offer(self, status: TaskStatus) -> None:
        """Show the button that acts on this status; both have the same place, which stays free where none does."""
        requeues = status in (TaskStatus.FAILED, TaskStatus.CANCELLED)
        self._requeue.layout.display = None if requeues else "none"
        self._cancel.layout.display = "none" if requeues else None
        self._cancel.layout.visibility = "hidden" if status.is_final else "visible"

    def _button(self, widgets: Any, text: str, name: str, act: Callable[[str], object]) -> Any:
        def clicked(button: Any) -> None:
            button.disabled = True  # at once: the task itself may take a moment
            act(self._task_id)

        button = widgets.Button(description=text, layout=widgets.Layout(flex="0 0 80px"))
        button.add_class(name)
        button.on_click(clicked)
        return button


def _width(widgets: Any, width: str) -> Any:
    """Give a column its width, or less where the page is narrow."""
    return widgets.Layout(flex=f"0 1 {width}", min_width="0")
