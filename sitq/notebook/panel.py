"""A live table of tasks under a cell: widgets where the front end has them, else HTML that is drawn anew."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol

from sitq.core import TaskStatus
from sitq.notebook.display import Glance, headline_html, panel_html, panel_text, part_done, state_of
from sitq.views import TaskInfo

_ROWS = 20
_FAST = 0.2  # seconds between two looks, with widgets
_SLOW = 0.5  # and with HTML, which is sent as a whole
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
    """HTML that takes its own place again; it works in every notebook and stays in the saved file."""

    interval = _SLOW

    def __init__(self) -> None:
        from IPython.display import display

        self._handle: Any = display({"text/html": "", "text/plain": ""}, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        self._html = ""

    def show(self, glance: Glance) -> None:
        now = datetime.now(UTC)
        html = panel_html(glance, now)
        if html != self._html:
            self._html = html
            self._handle.update({"text/html": html, "text/plain": panel_text(glance, now)}, raw=True)


class _WidgetView:
    """A table of ipywidgets, of which only what changed is sent, and HTML of its last state for the saved file."""

    interval = _FAST

    def __init__(self, source: Source, widgets: Any) -> None:
        from IPython.display import display

        self._widgets = widgets
        self._headline = widgets.HTML()
        self._rows = [_Row(widgets, source) for _ in range(_ROWS)]
        self._box = widgets.VBox([self._headline])
        self._box.add_class("sitq-panel")
        self._handle: Any = display(self._bundle("", ""), raw=True, display_id=True)  # type: ignore[no-untyped-call]
        self._kept = ""

    def show(self, glance: Glance) -> None:
        now = datetime.now(UTC)
        for row, info in zip(self._rows, glance.tasks, strict=False):
            row.show(info, now)
        self._headline.value = headline_html(glance)
        if len(self._box.children) != len(glance.tasks) + 1:
            self._box.children = (self._headline, *(row.box for row in self._rows[: len(glance.tasks)]))
        if all(info.status.is_final for info in glance.tasks):
            self._keep(panel_html(glance, now), panel_text(glance, now))

    def _keep(self, html: str, text: str) -> None:
        """Put the last state beside the widgets, for a file that is opened without a kernel."""
        if html != self._kept:
            self._kept = html
            self._handle.update(self._bundle(html, text), raw=True)

    def _bundle(self, html: str, text: str) -> dict[str, Any]:
        view = {"version_major": 2, "version_minor": 0, "model_id": self._box.model_id}
        return {"application/vnd.jupyter.widget-view+json": view, "text/html": html, "text/plain": text}


class _Row:
    """The widgets of one line, which shows one task now and perhaps another one later."""

    def __init__(self, widgets: Any, source: Source) -> None:
        self._source = source
        self._task_id = ""
        self._bar = widgets.FloatProgress(min=0.0, max=1.0, layout=widgets.Layout(width="160px"))
        self._name, self._state = (widgets.HTML(layout=widgets.Layout(width=width)) for width in ("220px", "300px"))
        self._cancel = self._button(widgets, "Cancel", "sitq-cancel", source.cancel)
        self._requeue = self._button(widgets, "Requeue", "sitq-requeue", source.requeue)
        self.box = widgets.HBox([self._name, self._bar, self._state, self._cancel, self._requeue])

    def show(self, info: TaskInfo, now: datetime) -> None:
        if info.id != self._task_id:
            self._task_id = info.id
            self._cancel.disabled = self._requeue.disabled = False
        self._name.value, self._state.value = state_of(info, now)
        self._bar.value = part_done(info) or 0.0
        self._bar.bar_style = {"success": "success", "failed": "danger", "cancelled": "warning"}.get(
            info.status, "info"
        )
        self._cancel.layout.visibility = "hidden" if info.status.is_final else "visible"
        self._requeue.layout.visibility = "visible" if info.status in ("failed", "cancelled") else "hidden"
        if info.status.is_final:
            self._cancel.disabled = False
        else:
            self._requeue.disabled = False

    def _button(self, widgets: Any, text: str, name: str, act: Callable[[str], object]) -> Any:
        def clicked(button: Any) -> None:
            button.disabled = True  # at once: the task itself may take a moment
            act(self._task_id)

        button = widgets.Button(description=text, layout=widgets.Layout(width="80px"))
        button.add_class(name)
        button.on_click(clicked)
        return button
