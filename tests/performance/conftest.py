"""Prints each figure beside raw `sqlite3` doing the same transactions on the same disk in the same run."""

import json
import os
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.performance.figures import Figure, tables
from tests.performance.raw import RawQueue

ROUNDS = 3

_figures: list[Figure] = []


class Report:
    """Collects the figures of a run."""

    def ratio(self, figure: str, *, got: float, of: float, asked: float, unit: str = "/s") -> float:
        """Note a rate beside its yardstick and return the ratio.

        Args:
            asked: the ratio that sitq set itself; a test fails only below half of it, as shared machines are noisy.
        """
        _figures.append(Figure(figure, got, asked, unit, of))
        return got / of

    def value(self, figure: str, *, got: float, asked: float, unit: str) -> float:
        """Note a figure that stands alone, and return it."""
        _figures.append(Figure(figure, got, asked, unit))
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
    if not _figures:
        return
    if "SITQ_FIGURES" in os.environ:
        Path(os.environ["SITQ_FIGURES"]).write_text("".join(f"{json.dumps(figure)}\n" for figure in _figures))
    terminalreporter.section("figures, medians of three rounds")
    for line in tables(_figures):
        terminalreporter.write_line(line)
