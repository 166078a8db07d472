"""What is looked at: state, filter and order of the list, and whether it goes on by itself."""

from dataclasses import replace
from itertools import cycle

from sitq.core import TaskStatus
from sitq.views import Order
from sitq_monitor import language
from sitq_monitor.clock import Clock
from sitq_monitor.model import STATES
from sitq_monitor.view import Filter

RANGES = ("15m", "1h", "6h", "1d", "7d", "")
RATES = (0.5, 1.0, 2.0, 4.0, 10.0)


class Looking:
    """Changes as people choose.

    Attributes:
        text: the filter as it was written, but for its state.
        status: the state of the tab; None is all.
    """

    def __init__(self, clock: Clock) -> None:
        self.text = ""
        self.status: TaskStatus | None = None
        self.order = Order.NEWEST
        self.live = True
        self._clock = clock
        self._written = Filter()

    @property
    def filter(self) -> Filter:
        excepted = () if self.status else self._written.except_statuses  # the tab has the last word
        return replace(self._written, status=self.status, except_statuses=excepted)

    @property
    def written(self) -> str:
        """The whole filter as a person would write it."""
        return " ".join([*([f"state:{self.status}"] if self.status else []), *([self.text] if self.text else [])])

    def write(self, text: str) -> None:
        """Take a filter as a person wrote it; a state in it chooses the tab.

        Raises:
            FilterError: it cannot be understood.
        """
        found = language.parse(text, self._clock())
        self._written, self.text = found, language.without_state(text)
        self.status = found.status or (None if found.except_statuses else self.status)

    def choose(self, status: TaskStatus | None) -> None:
        """Take a state's tab; None is all."""
        self.status = status
        if self._written.except_statuses:
            self._written, self.text = replace(self._written, except_statuses=()), language.without_except(self.text)

    def narrow(self) -> str:
        """Take the next range of time, and tell it; "" is all time."""
        now = [part.removeprefix("since:") for part in self.text.split() if part.startswith("since:")]
        ranges = cycle(RANGES)
        while now and now[0] in RANGES and next(ranges) != now[0]:
            pass
        chosen = next(ranges)
        self.write(language.with_since(self.text, chosen))
        return chosen

    def sort(self) -> None:
        """Take the next order."""
        orders = list(Order)
        self.order = orders[(orders.index(self.order) + 1) % len(orders)]

    def neighbour(self, by: int) -> TaskStatus | None:
        """Tell which state's tab stands beside that of this one."""
        return STATES[(STATES.index(self.status) + by) % len(STATES)]


def faster(rate: float, by: int) -> float:
    """Choose the next rate of reading that is faster, or slower for a negative number."""
    place = min(range(len(RATES)), key=lambda place: abs(RATES[place] - rate))
    return RATES[min(max(place + by, 0), len(RATES) - 1)]
