"""What the measurements found, as the tables of the page about performance."""

import os
import platform
import sqlite3
import sys
from collections.abc import Iterable
from typing import NamedTuple


class Figure(NamedTuple):
    """One measured figure.

    Attributes:
        name: what was measured; a rate's yardstick stands behind a slash.
        got: what came out, in `unit`.
        asked: the ratio to reach at least where there is a yardstick, else the value to stay below.
        of: the yardstick; None for a figure that stands alone.
    """

    name: str
    got: float
    asked: float
    unit: str
    of: float | None = None

    @property
    def reached(self) -> bool:
        return self.got <= self.asked if self.of is None else self.got / self.of >= self.asked

    def row(self) -> str:
        verdict = "yes" if self.reached else "**no**"
        if self.of is None:
            return f"| {self.name} | {short(self.got)} {self.unit} | {self.asked:g} | {verdict} |"
        ratio = f"{self.got / self.of:.2f} | {self.asked:.2f}"
        return f"| {self.name} | {short(self.got)} {self.unit} | {short(self.of)} | {ratio} | {verdict} |"


def short(value: float) -> str:
    """Write a value with the digits that a shared machine can repeat."""
    if value >= 1000:
        return f"{round(value, -2):,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.2g}"


def tables(figures: Iterable[Figure]) -> list[str]:
    """Write the figures as lines of Markdown: those beside a yardstick, then those that stand alone."""
    found = list(figures)
    ratios = [figure.row() for figure in found if figure.of is not None]
    alone = [figure.row() for figure in found if figure.of is None]
    lines = ["| figure / yardstick | got | yardstick | ratio | asked | reached |", "|---|---|---|---|---|---|", *ratios]
    return [*lines, "", "| figure | got | asked at most | reached |", "|---|---|---|---|", *alone]


def machine() -> str:
    """Describe where the figures come from."""
    system = platform.freedesktop_os_release()["PRETTY_NAME"] if sys.platform == "linux" else platform.platform()
    return f"{os.cpu_count()} cores, {system}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
