"""Four lines that tell at a glance how the store is doing: throughput, durations, queues, workers."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import accumulate, zip_longest
from operator import attrgetter

from rich.cells import cell_len
from textual.app import RenderResult
from textual.content import Content
from textual.geometry import Region
from textual.widget import Widget

from sitq_monitor.bars import lying, upright
from sitq_monitor.clock import TICK, Clock
from sitq_monitor.format import age, count, duration
from sitq_monitor.model import BARS, SPAN, Counts, Pulse, QueueRow, Spread, WorkerRow
from sitq_monitor.widgets.cells import fit
from sitq_monitor.widgets.paint import Part, write

LINES = 3
_THROUGHPUT, _LATENCY, _QUEUE_BAR, _NAME, _WORKER = 18, 27, 8, 10, 32
_Lines = list[list[Part]]


class Dashboard(Widget):
    """Shows the pulse of the store; what does not fit its width is left out from the right."""

    ALLOW_SELECT = False

    def __init__(self, *, id: str, clock: Clock) -> None:
        super().__init__(id=id)
        self._clock = clock
        self._pulse, self._counts = Pulse(), Counts()
        self._drawn: list[list[Part]] = []

    def on_mount(self) -> None:
        self.set_interval(TICK, self._draw)

    def show(self, *, pulse: Pulse | None = None, counts: Counts | None = None) -> None:
        """Show these from now on; None leaves what was shown."""
        self._pulse, self._counts = pulse or self._pulse, counts or self._counts
        self._draw()

    def render(self) -> RenderResult:
        width = self.size.width
        lines = (write(self, line).truncate(width) for line in self._lines(width))
        return Content("\n").join(lines)

    def _draw(self) -> None:
        if self.is_mounted and self.display and (lines := self._lines(self.size.width)) != self._drawn:
            self._refresh_changes(self._drawn, lines)
            self._drawn = lines

    def _refresh_changes(self, before: _Lines, after: _Lines) -> None:
        """Paint what differs: all of it four times a second would be most of what the terminal is sent."""
        if len(before) != len(after):
            self.refresh()
            return
        for y, (old, new) in enumerate(zip(before, after, strict=True)):
            if old != new:
                start, end = _span_of_changes(old, new)
                self.refresh(Region(start, y, end - start, 1))

    def _lines(self, width: int) -> list[list[Part]]:
        rest = width - _THROUGHPUT - _LATENCY - _QUEUE_BAR - _NAME - 16 - _WORKER - 1
        bars = min(max(rest, 10), BARS)
        blocks = (
            _throughput(self._pulse, bars),
            _latency(self._pulse),
            _queues(self._counts.queues, self._clock()),
            _workers(self._counts, self._clock()),
        )
        return [[part for block in blocks for part in block[line]] for line in range(LINES + 1)]


def _span_of_changes(before: Sequence[Part], after: Sequence[Part]) -> tuple[int, int]:
    """Tell from where to where a line differs from what it was, in cells; what changes keeps its width mostly."""
    edges = [list(accumulate((cell_len(text) for text, _ in line), initial=0)) for line in (before, after)]
    if len(before) != len(after) or edges[0] != edges[1]:
        return 0, max(edges[0][-1], edges[1][-1])
    changed = [place for place, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
    return edges[0][changed[0]], edges[0][changed[-1] + 1]


def _throughput(pulse: Pulse, width: int) -> _Lines:
    minutes = width * SPAN / 60
    top = max(*pulse.ok[-width:], *pulse.failed[-width:], 0.0, 0.0)
    title = fit(f" THROUGHPUT /s, {minutes:.0f} min", width + _THROUGHPUT)

    def bars(word: str, values: Sequence[float], style: str) -> list[Part]:
        now = sum(values[-2:]) / 2 if values else 0.0
        return [
            (f" {word:<7} ", "muted"),
            (fit(upright(values, width, top=top), width), style),
            (f" {_rate(now):>6}  ", style),
        ]

    return [
        [(title, "faint")],
        bars("success", pulse.ok, "success"),
        bars("failed", pulse.failed, "failed" if any(pulse.failed) else "faint"),
        [(" " * (width + _THROUGHPUT), "")],
    ]


def _latency(pulse: Pulse) -> _Lines:
    def line(word: str, spread: Spread | None) -> list[Part]:
        middle, slow = (duration(spread.p50), duration(spread.p95)) if spread else ("-", "-")
        return [(f"{word:<7}", "muted"), (f"{middle:>6} {slow:>7}", "name"), (" " * (_LATENCY - 21), "")]

    return [
        [(fit("LATENCY    p50     p95", _LATENCY), "faint")],
        line("waited", pulse.waited),
        line("took", pulse.took),
        [("failing", "muted"), (f"{pulse.failing:>14.1%}", "name"), (" " * (_LATENCY - 21), "")],
    ]


def _queues(queues: Sequence[QueueRow], now: datetime) -> _Lines:
    deepest = sorted(queues, key=attrgetter("depth"), reverse=True)
    most = deepest[0].depth if deepest else 0
    more = f", the {LINES} deepest of {len(queues)}" if len(queues) > LINES else ""
    lines = [[(fit(f"QUEUES{more}", _NAME + _QUEUE_BAR + 16), "faint")]]
    for queue, _ in zip_longest(deepest[:LINES], range(LINES)):
        lines.append(list(_queue(queue, most, now)) if queue else [(" " * (_NAME + _QUEUE_BAR + 16), "")])
    return lines


def _queue(queue: QueueRow, most: int, now: datetime) -> Iterator[Part]:
    depth = queue.depth
    oldest = age((now - queue.oldest_due_at).total_seconds()) if queue.oldest_due_at else ""
    yield f"{fit(queue.name, _NAME)} ", "warning" if queue.paused else "name"
    yield f"{count(depth):>5} ", "name" if depth else "faint"
    yield fit(lying(depth / most, _QUEUE_BAR) if most else "", _QUEUE_BAR), "running"
    yield f" {'paused' if queue.paused else oldest:<6}  ", "warning" if queue.paused else "muted"


def _workers(counts: Counts, now: datetime) -> _Lines:
    workers = sorted(counts.workers, key=lambda worker: (worker.alive, -worker.running))
    more = f", {len(workers) - LINES} not shown" if len(workers) > LINES else ""
    lines: _Lines = [[(f"WORKERS {counts.alive} alive{more}", "faint")]]
    for worker, _ in zip_longest(workers[:LINES], range(LINES)):
        lines.append(list(_worker(worker, now)) if worker else [])
    return lines


def _worker(worker: WorkerRow, now: datetime) -> Iterator[Part]:
    ago = age((now - worker.seen_at).total_seconds()) if worker.seen_at else "never"
    yield ("▸ " if worker.running else "○ ", "running") if worker.alive else ("! ", "warning")
    yield f"{fit(worker.label, _WORKER - 15)} ", "name" if worker.alive else "warning"
    yield f"{worker.running:>3}/{worker.capacity:<3}", "name"
    yield f" {ago:>4}", "muted" if worker.alive else "warning"


def _rate(rate: float) -> str:
    return f"{rate:.1f}" if rate < 1_000 else count(int(rate))
