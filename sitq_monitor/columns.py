"""Which columns fit a width, and what each says of a task."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from itertools import accumulate
from typing import Any, NamedTuple

from sitq.core import TaskStatus
from sitq_monitor.format import age, duration, face, ticking
from sitq_monitor.model import TaskRow


class Cell(NamedTuple):
    """What is drawn in a column, and the name of its style."""

    text: str
    style: str


Draw = Callable[[Any, datetime], Cell]
"""Says what a cell holds of a row at this moment."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table.

    Attributes:
        width: cells; 0 means a share of what is left.
        right: numbers stand at the right.
        dotted: a dotted name, of which the last parts say most.
    """

    title: str
    width: int
    draw: Draw
    right: bool = False
    dotted: bool = False


FEW_SECONDS, AGE_STEP, MINUTE = 10, 5, 60
"""Ages below a minute go in steps, since a page of young tasks would else be sent anew each second. Those of running
tasks do not: how long one has run stands beside it, and is never more."""
GAP = 1
GUTTER = 3
NAME_MIN, NAME_MAX, NAME_SHARE = 14, 36, 0.46


def field(name: str, style: str) -> Draw:
    """Show a field of the row as it is."""
    return lambda row, now: Cell(getattr(row, name), style)


def _word(row: TaskRow, now: datetime) -> Cell:
    look = face(row.phase)
    if row.cancel_requested and row.phase == "running":
        return Cell("cancelling", "warning")
    return Cell(look.word, look.word_style)


def _glyph(row: TaskRow, now: datetime) -> Cell:
    look = face(row.phase)
    return Cell(look.glyph, look.style)


def _attempt(row: TaskRow, now: datetime) -> Cell:
    return Cell(f"{row.attempt}/{row.max_attempts}" if row.attempt else "", "muted")


def _age(row: TaskRow, now: datetime) -> Cell:
    seconds = int((now - row.enqueued_at).total_seconds())
    if FEW_SECONDS < seconds < MINUTE and row.status is not TaskStatus.RUNNING:
        seconds -= seconds % AGE_STEP
    return Cell(age(seconds), "muted")


def _took(row: TaskRow, now: datetime) -> Cell:
    seconds = row.seconds_run(now)
    if seconds is None:
        return Cell("", "muted")
    return Cell(duration(seconds), "name") if row.finished_at else Cell(ticking(seconds), "running")


def _note(row: TaskRow, now: datetime) -> Cell:
    return Cell(row.note, "failed" if row.note_is_error else "muted")


GLYPH = Column("", 1, _glyph)
STATE = Column("STATE", 10, _word)
ID = Column("ID", 8, field("label", "muted"))
NAME = Column("TASK", 0, field("name", "name"), dotted=True)
QUEUE = Column("QUEUE", 10, field("queue", "muted"))
ATTEMPT = Column("TRY", 3, _attempt, right=True)
AGE = Column("AGE", 4, _age, right=True)
TOOK = Column("TOOK", 5, _took, right=True)
NOTE = Column("ERROR / ARGUMENTS", 0, _note)

_BY_WIDTH = (
    (116, (GLYPH, STATE, ID, NAME, QUEUE, ATTEMPT, AGE, TOOK, NOTE)),
    (96, (GLYPH, STATE, ID, NAME, ATTEMPT, AGE, TOOK, NOTE)),
    (70, (GLYPH, STATE, NAME, ATTEMPT, AGE, TOOK, NOTE)),
    (0, (GLYPH, NAME, AGE, TOOK, NOTE)),
)


@lru_cache(maxsize=8)
def columns_for(width: int) -> tuple[Column, ...]:
    """Choose the columns for a table this many cells wide, and give each its width."""
    chosen = next(columns for least, columns in _BY_WIDTH if width >= least)
    left = width - GUTTER - sum(column.width for column in chosen) - GAP * (len(chosen) - 1)
    name = min(max(int(left * NAME_SHARE), NAME_MIN), NAME_MAX)
    return tuple(
        replace(column, width=name if column is NAME else max(left - name, 1)) if column.width == 0 else column
        for column in chosen
    )


def span_of_changes(before: tuple[Cell, ...], after: tuple[Cell, ...], width: int) -> tuple[int, int] | None:
    """Tell from where to where a line differs from what it was, in cells from its left; None when it does not."""
    changed = [place for place, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
    if not changed:
        return None
    edges = list(accumulate((column.width + GAP for column in columns_for(width)), initial=GUTTER))
    return edges[changed[0]], edges[changed[-1] + 1]


def cells_of(row: TaskRow, width: int, now: datetime) -> tuple[Cell, ...]:
    """Say what a row's cells hold at this moment."""
    cells = tuple(column.draw(row, now) for column in columns_for(width))
    return cells if row.phase != "deleted" else tuple(Cell(cell.text, "faint") for cell in cells)
