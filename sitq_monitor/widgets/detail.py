"""The pane that tells all about one task: what it is, the traceback of the attempt that failed, its attempts."""

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.geometry import Size
from textual.reactive import Reactive
from textual.widgets import Static

from sitq_monitor.clock import TICK, Clock
from sitq_monitor.keys import DETAIL_KEYS
from sitq_monitor.model import TaskDetail
from sitq_monitor.widgets.bindings import bindings
from sitq_monitor.widgets.detail_text import arguments_parts, attempts_parts, output_parts, overview_parts, title
from sitq_monitor.widgets.paint import Part, write
from sitq_monitor.widgets.traceback_view import traceback_parts

_SECTIONS = ("overview", "traceback", "own-frame", "arguments", "output", "attempts")
_STOPS = ("overview", "traceback", "arguments", "output", "attempts")


class DetailPane(VerticalScroll):
    """Shows one task and scrolls; what it says of time goes on while the task runs."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(DETAIL_KEYS)

    def __init__(self, *, id: str, clock: Clock) -> None:
        super().__init__(id=id)
        self._clock = clock
        self.detail: TaskDetail | None = None
        self._folded = True
        self._sections = {name: Section(id=f"detail-{name}") for name in _SECTIONS}

    def compose(self) -> ComposeResult:
        yield from self._sections.values()

    def on_mount(self) -> None:
        self._draw()
        self.set_interval(TICK, self._draw)

    def show(self, detail: TaskDetail | None) -> None:
        """Show this task from now on; another task is shown from its top, or where its own code failed."""
        old, self.detail = self.detail, detail
        self._draw()
        if old is None or detail is None or old.row.id != detail.row.id:
            self.scroll_to(y=0, animate=False)
            self.reveal()

    def reveal(self) -> None:
        """Bring the user's own frame that failed into sight."""
        if self.detail is not None and self.detail.traceback and self.display:
            self.call_after_refresh(self._sections["own-frame"].scroll_visible, animate=False)

    def action_unfold(self) -> None:
        self._folded = not self._folded
        self._draw()

    def action_section(self, by: int) -> None:
        """Go to the next section that says something, or to the one before."""
        tops = [section.virtual_region.y for section in map(self._sections.__getitem__, _STOPS) if section.display]
        here = round(self.scroll_y)
        ahead = [top for top in tops if (top > here if by > 0 else top < here)]
        if ahead:
            self.scroll_to(y=min(ahead) if by > 0 else max(ahead), animate=False)

    def _draw(self) -> None:
        for name, parts in self._parts().items():
            self._sections[name].say(parts)

    def _parts(self) -> dict[str, Sequence[Part]]:
        detail, now = self.detail, self._clock()
        if detail is None:
            return {**dict.fromkeys(_SECTIONS, ()), "overview": [("no task", "faint")]}
        before, own = traceback_parts(detail.traceback, folded=self._folded)
        heading = list(title(f"Traceback of attempt {detail.traceback_of}")) if detail.traceback else []
        return {
            "overview": list(overview_parts(detail, now)),
            "traceback": [*heading, *before],
            "own-frame": own,
            "arguments": list(arguments_parts(detail)),
            "output": list(output_parts(detail)),
            "attempts": list(attempts_parts(detail, now)),
        }


class Section(Static):
    """A piece of the pane, whose text can be selected and copied."""

    virtual_size = Reactive(Size(0, 0))  # it does not scroll, and each new height would have all laid out once more

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id, markup=False)
        self._said: Sequence[Part] = ()
        self.display = False

    def say(self, parts: Sequence[Part]) -> None:
        """Say this from now on; nothing hides the section."""
        if parts != self._said:
            height = self._height
            self._said = parts
            self.display = bool(parts)
            # To lay the screen out anew costs more than to paint it: only where the height is another.
            self.update(write(self, parts).rstrip(), layout=height is None or height != self._height)

    @property
    def _height(self) -> int | None:
        """How many lines it has; None when that depends on how they are wrapped."""
        lines = "".join(text for text, _ in self._said).rstrip().split("\n")
        fits = self._said and max(map(cell_len, lines)) <= self.size.width
        return len(lines) if fits else None

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._said = ()  # its colours are others now
