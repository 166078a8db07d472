"""Prints each figure beside raw `sqlite3` doing the same transactions on the same disk in the same run."""

import statistics
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.performance.raw import RawQueue

ROUNDS = 3

_lines: list[str] = []


class Report:
    """Collects the figures of a run."""

    def ratio(self, figure: str, *, got: float, of: float, asked: float, unit: str = "tasks/s") -> float:
        """Note a rate beside its yardstick and return the ratio.

        Args:
            asked: the ratio that sitq set itself; a test fails only below half of it, as shared machines are noisy.
        """
        ratio = got / of
        _lines.append(f"{figure:58} {got:10,.0f} of {of:10,.0f} {unit:8} = {ratio:5.2f}, asked {asked:.2f}")
        return ratio

    def value(self, figure: str, *, got: float, asked: float, unit: str) -> float:
        """Note a figure that stands alone, and return it."""
        _lines.append(f"{figure:58} {got:10.2f} {unit}, asked {asked:g} at most")
        return got


@pytest.fixture
def report() -> Report:
    return Report()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tasks.db"


@pytest.fixture
def raw(tmp_path: Path) -> Iterator[RawQueue]:
    queue = RawQueue(tmp_path / "raw.db")
    yield queue
    queue.close()


def median_of(measure: Callable[[], float]) -> float:
    return statistics.median(measure() for _ in range(ROUNDS))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _lines:
        terminalreporter.section("figures, medians of three rounds")
        for line in _lines:
            terminalreporter.write_line(line)
