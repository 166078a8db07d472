"""Draws the diagrams of README and docs, for light and dark pages: `python docs/assets/make_diagrams.py [FOLDER]`."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path

SANS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
MONO = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace"


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of one kind of page."""

    ink: str
    soft: str
    line: str
    panel: str
    card: str
    accent: str
    good: str
    bad: str
    gone: str


PALETTES = {
    "": Palette("#1f2933", "#5f6c7b", "#8796a5", "#f3f6f8", "#ffffff", "#00897b", "#2e9e55", "#d64545", "#757a83"),
    "-dark": Palette("#e6edf3", "#9fb0c0", "#7d8fa1", "#232b38", "#2e3848", "#4db6ac", "#57c785", "#ff7b72", "#9aa4ae"),
}


class Drawing:
    """An SVG image that is being drawn, in one palette."""

    def __init__(self, width: int, height: int, title: str, palette: Palette) -> None:
        self.palette = palette
        self._size = (width, height)
        self._title = title
        self._parts: list[str] = []

    def panel(self, x: int, y: int, width: int, height: int, title: str) -> None:
        """Draw what holds several cards, with its name at the top."""
        self._rect(x, y, width, height, fill=self.palette.panel, stroke=self.palette.line, radius=10, dash="5 4")
        self.text(x + width / 2, y + 24, title, size=15, color=self.palette.soft)

    def card(self, x: int, y: int, width: int, height: int, title: str, *lines: str, color: str | None = None) -> None:
        """Draw a thing with a name of the code, and what is to be said of it."""
        stroke = self.palette.accent if color is None else color
        self._rect(x, y, width, height, fill=self.palette.card, stroke=stroke, radius=8)
        top = y + height / 2 - 10 * len(lines) + 6
        self.text(x + width / 2, top, title, size=16, color=self.palette.ink, mono=True, bold=True)
        for number, line in enumerate(lines, 1):
            self.text(x + width / 2, top + 2 + 19 * number, line, size=13, color=self.palette.soft)

    def arrow(self, path: str, label: str, x: float, y: float, *, anchor: str = "middle", mono: bool = False) -> None:
        """Draw a way along an SVG path, with its label at a place of its own."""
        self._parts.append(
            f'<path d="{path}" fill="none" stroke="{self.palette.line}" stroke-width="1.8" marker-end="url(#tip)"/>'
        )
        for number, line in enumerate(label.split("\n")):
            self.text(x, y + 17 * number, line, size=13, color=self.palette.ink, anchor=anchor, mono=mono)

    def text(
        self, x: float, y: float, text: str, *, size: int, color: str, anchor: str = "middle", **look: bool
    ) -> None:
        """Write one line; `mono` and `bold` are its looks."""
        font = MONO if look.get("mono") else SANS
        weight = ' font-weight="600"' if look.get("bold") else ""
        place = f'x="{x:g}" y="{y:g}" text-anchor="{anchor}"'
        style = f'font-family="{font}" font-size="{size}" fill="{color}"{weight}'
        self._parts.append(f"<text {place} {style}>{escape(text)}</text>")

    def svg(self) -> str:
        width, height = self._size
        shape = f'<path d="M0 0 9 4.5 0 9z" fill="{self.palette.line}"/>'
        place = 'markerWidth="9" markerHeight="9" refX="8" refY="4.5" orient="auto" markerUnits="userSpaceOnUse"'
        marker = f'<marker id="tip" {place}>{shape}</marker>'
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">'
        body = "\n".join([head, f"<title>{escape(self._title)}</title>", f"<defs>{marker}</defs>", *self._parts])
        return f"{body}\n</svg>\n"

    def _rect(
        self, x: int, y: int, width: int, height: int, *, fill: str, stroke: str, radius: int, dash: str = "none"
    ) -> None:
        place = f'x="{x}" y="{y}" width="{width}" height="{height}" rx="{radius}"'
        self._parts.append(
            f'<rect {place} fill="{fill}" stroke="{stroke}" stroke-width="1.6" stroke-dasharray="{dash}"/>'
        )


def architecture(palette: Palette) -> str:
    """Two doors, one store, and the window beside them."""
    drawing = Drawing(940, 400, "TaskQueue hands tasks to a store, from which a Worker claims them", palette)
    drawing.panel(12, 12, 236, 216, "your program")
    drawing.card(32, 50, 196, 72, "TaskQueue", "a call becomes bytes")
    drawing.card(32, 138, 196, 72, "await handle", "bytes become a value")
    drawing.panel(352, 12, 236, 216, "the store")
    drawing.card(
        372, 50, 196, 160, "Backend", "tasks, calls, values, leases", "one SQLite file, or", "PostgreSQL, Redis, NATS"
    )
    drawing.panel(692, 12, 236, 216, "a worker's process")
    drawing.card(712, 50, 196, 72, "Worker", "claims, renews its lease")
    drawing.card(712, 138, 196, 72, "Runner", "event loop, threads,", "child processes")
    drawing.card(372, 308, 196, 72, "Inspector", "ids and records, no bytes")
    drawing.card(692, 308, 236, 72, "sitq-monitor", "also the command sitq")
    drawing.arrow("M228 86 H370", "Task", 300, 78, mono=True)
    drawing.arrow("M372 174 H230", "Result", 300, 166, mono=True)
    drawing.arrow("M568 72 H710", "Claim", 640, 64, mono=True)
    drawing.arrow("M712 104 H570", "heartbeat", 640, 122)
    drawing.arrow("M712 174 H570", "Outcome", 640, 166, mono=True)
    drawing.arrow("M452 210 V306", "TaskInfo, Stats", 444, 266, anchor="end", mono=True)
    drawing.arrow("M488 308 V212", "cancel, requeue", 496, 266, anchor="start")
    drawing.arrow("M568 334 H690", "", 630, 326)
    drawing.arrow("M692 356 H570", "", 630, 348)
    return drawing.svg()


def states(palette: Palette) -> str:
    """The five statuses that are stored, and the ways between them."""
    drawing = Drawing(940, 430, "A task goes from pending to running to success, failed or cancelled", palette)
    drawing.card(110, 142, 190, 96, "pending", "shown also as scheduled,", "retrying or blocked", color=palette.soft)
    drawing.card(430, 142, 190, 96, "running", "shown as stalled when", "its lease is over")
    drawing.card(760, 26, 160, 56, "success", color=palette.good)
    drawing.card(760, 162, 160, 56, "failed", color=palette.bad)
    drawing.card(760, 298, 160, 56, "cancelled", color=palette.gone)
    drawing.arrow("M16 190 H108", "enqueue", 58, 181)
    drawing.arrow("M300 206 H428", "claim", 364, 226)
    drawing.arrow("M470 142 C450 60, 280 60, 258 140", "retry, snoozed, given back,\nits worker died", 364, 40)
    drawing.arrow("M620 168 C680 150, 690 60, 758 54", "it returns", 662, 88, anchor="end")
    drawing.arrow("M620 190 H758", "no attempt left", 690, 180)
    drawing.arrow("M620 212 C680 230, 690 318, 758 322", "cancel", 664, 262, anchor="end")
    drawing.arrow("M250 238 C270 334, 500 340, 758 334", "cancel, expired", 420, 312)
    drawing.arrow("M850 354 C830 424, 200 440, 160 240", "requeue, by a person; also from failed", 470, 420)
    return drawing.svg()


DIAGRAMS: dict[str, Callable[[Palette], str]] = {"architecture": architecture, "states": states}


def main(folder: Path) -> None:
    for name, draw in DIAGRAMS.items():
        for suffix, palette in PALETTES.items():
            (folder / f"{name}{suffix}.svg").write_text(draw(palette))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
