"""Tables for people and JSON for programs; nothing that a store holds reaches a terminal as it is."""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sitq.sanitize import clean
from sitq.views import TaskInfo

_STYLES = {
    "success": "green",
    "failed": "red",
    "cancelled": "yellow",
    "running": "blue",
    "stalled": "magenta",
    "retrying": "yellow",
}
_WIDE = 100_000  # columns of a pipe, which has none
_WIDEST = 28  # characters of a column but the last: an id
_NARROWEST = 9
_ROOMY = 76  # columns of a terminal
_COMPLAINT = 2_000  # characters


def print_json(record: Any) -> None:
    """Print one object on one line; moments in ISO 8601, durations in seconds."""
    print(json.dumps(_plain(record), default=str))


def _plain(record: Any) -> Any:
    if hasattr(record, "__dataclass_fields__"):
        return asdict(record)
    return record._asdict() if hasattr(record, "_asdict") else record


def print_table(
    titles: Sequence[str],
    rows: Iterable[Sequence[str | Text]],
    *,
    numbers: Sequence[str] = (),
    spared: Sequence[str] = (),
) -> None:
    """Print a table in the width of the terminal; the last column gives way. In a pipe nothing is cut.

    Args:
        numbers: titles of the columns that are set flush right.
        spared: titles of those that a narrow terminal does without.
    """
    is_terminal = sys.stdout.isatty()
    console = Console(width=None if is_terminal else _WIDE, highlight=False, markup=False, emoji=False)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    places = [place for place, title in enumerate(titles) if title not in spared or console.width >= _ROOMY]
    titles = [titles[place] for place in places]
    cells = [[_text(row[place]) for place in places] for row in rows]
    for place, title in enumerate(titles):
        last = place == len(titles) - 1
        widest = max(len(title), *(row[place].cell_len for row in cells), 0)
        table.add_column(
            title,
            justify="right" if title in numbers else "left",
            no_wrap=True,
            overflow="ellipsis",
            min_width=min(widest, _WIDEST if place == 0 else _NARROWEST),
            max_width=None if last or not is_terminal else _WIDEST,
        )
    for row in cells:
        table.add_row(*row)
    if is_terminal:
        console.print(table)
        return
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        print(line.rstrip())


def _text(cell: str | Text) -> Text:
    return cell if isinstance(cell, Text) else Text(cell)


def phase_of(info: TaskInfo) -> Text:
    phase = info.phase(datetime.now(UTC))
    return Text(phase, style=_STYLES.get(phase, ""))


def note_of(info: TaskInfo) -> str:
    """Say the most telling thing about a task: its error, what it waits for, its progress or its arguments."""
    if info.error:
        return clean(info.error)
    if info.waits_for:
        return f"waits for {clean(info.waits_for)}"
    if info.progress is not None and not info.status.is_final:
        return clean(progress_of(info))
    return clean(info.arguments or "")


def progress_of(info: TaskInfo) -> str:
    done, total, message = info.progress or (None, None, None)
    part = "" if done is None else f"{done:g}" + ("" if total is None else f" of {total:g}")
    return " ".join(filter(None, (part, message)))


def confirm(verb: str, count: int) -> None:
    """Ask before acting on what filters match.

    Raises:
        click.UsageError: there is nobody to ask.
        click.Abort: the answer is no.
    """
    if count == 0:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"{verb} would reach {count:,} tasks, and nobody is here to ask; say --yes")
    click.confirm(f"{verb} {count:,} tasks?", abort=True, err=True)


def complain(line: str) -> None:
    """Print a line to stderr."""
    print(f"sitq: {clean(line, _COMPLAINT)}", file=sys.stderr)
