"""Measures how fast tasks end, from pages of those that ended last; nothing is ever counted twice or from the start."""

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime

from sitq.core import TaskStatus
from sitq.views import TaskInfo
from sitq_monitor.model import BARS, SPAN, Pulse, Spread

PAGE = 200
FIRST_PAGE = 1_000
RECENT = 500
LATELY = 10.0


class Meter:
    """Keeps what ended in the last minutes, in spans of some seconds."""

    def __init__(self) -> None:
        self._ended: dict[int, list[float]] = {}
        self._last: datetime | None = None
        self._recent: deque[TaskInfo] = deque(maxlen=RECENT)
        self._moments: deque[tuple[float, float]] = deque()

    @property
    def page(self) -> int:
        """How many of those that ended last it wants to hear of."""
        return FIRST_PAGE if self._last is None else PAGE

    def hear(self, page: Sequence[TaskInfo]) -> None:
        """Take in those that ended last, the last one first; those it knows are left out."""
        news = [info for info in page if info.finished_at and (self._last is None or info.finished_at > self._last)]
        if not news:
            return
        weight = self._weight(news, is_full=len(news) == len(page) >= self.page)
        for info in reversed(news):
            self._note(info, weight)
        self._recent.extend(info for info in reversed(news) if info.started_at)
        self._last = news[0].finished_at

    def pulse(self, now: datetime) -> Pulse:
        """Tell what has been measured, as of now."""
        latest = _span(now)
        for span in [span for span in self._ended if span <= latest - BARS]:
            del self._ended[span]
        bars = [self._ended.get(span, (0.0, 0.0)) for span in range(latest - BARS + 1, latest + 1)]
        ran = [info for info in self._recent if info.status is not TaskStatus.CANCELLED]
        return Pulse(
            ok=tuple(ok / SPAN for ok, _ in bars),
            failed=tuple(failed / SPAN for _, failed in bars),
            rate=self._rate(now),
            failing=sum(info.status is TaskStatus.FAILED for info in ran) / len(ran) if ran else 0.0,
            took=_spread(_seconds(info.started_at, info.finished_at) for info in ran),
            waited=_spread(_seconds(info.due_at, info.started_at) for info in ran),
        )

    def _weight(self, news: Sequence[TaskInfo], *, is_full: bool) -> float:
        """Tell for how many tasks each of the page stands, when more have ended than a page holds."""
        first, last = news[-1].finished_at, news[0].finished_at
        if not is_full or self._last is None or first is None or last is None or last <= first:
            return 1.0
        return (last - self._last) / (last - first)

    def _note(self, info: TaskInfo, weight: float) -> None:
        if info.finished_at is None:
            return
        bar = self._ended.setdefault(_span(info.finished_at), [0.0, 0.0])
        bar[info.status is not TaskStatus.SUCCESS] += weight
        self._moments.append((info.finished_at.timestamp(), weight))

    def _rate(self, now: datetime) -> float:
        edge = now.timestamp() - LATELY
        while self._moments and self._moments[0][0] < edge:
            self._moments.popleft()
        return sum(weight for _, weight in self._moments) / LATELY


def _span(moment: datetime) -> int:
    return int(moment.timestamp() // SPAN)


def _seconds(begin: datetime | None, end: datetime | None) -> float | None:
    return max((end - begin).total_seconds(), 0.0) if begin and end else None


def _spread(durations: Iterable[float | None]) -> Spread | None:
    known = sorted(seconds for seconds in durations if seconds is not None)
    if not known:
        return None
    return Spread(known[len(known) // 2], known[min(int(len(known) * 0.95), len(known) - 1)])
