"""What the lines above and below the table say, and what is asked before something is changed."""

from collections.abc import Sequence
from typing import NamedTuple

from sitq.core import TaskStatus
from sitq.sanitize import Clean, clean
from sitq_monitor.format import count
from sitq_monitor.model import Action, Counts, Outcome, TaskRow

Parts = tuple[tuple[str, str], ...]

_DONE = {Action.REQUEUE: "requeued", Action.CANCEL: "cancelled"}
_WANTED = {Action.REQUEUE: "failed or cancelled", Action.CANCEL: "pending or running"}


class Question(NamedTuple):
    """What is asked before an action."""

    question: Clean
    subject: Clean


def status_parts(*, path: Clean, trouble: Clean | None, live: bool) -> Parts:
    """Say what is watched, and how that goes."""
    state: Parts
    if trouble is not None:
        state = (("! ", "failed"), (trouble, "failed"))
    elif live:
        state = (("● ", "success"), ("live", "muted"))
    else:
        state = (("‖ ", "warning"), ("paused", "warning"))
    return (" sitq ", "title"), (f" {path}  ", "name"), *state


def rights_parts(counts: Counts, *, read_only: bool) -> Parts:
    """Say who works, and what may be done from here."""
    workers = f"{counts.workers} worker{'s' if counts.workers != 1 else ''}  "
    idle = counts.workers == 0 and counts.of(TaskStatus.PENDING) > 0
    rights = ("read-only ", "warning") if read_only else ("read-write ", "muted")
    return (workers if counts.workers else "no worker  ", "warning" if idle else "muted"), rights


def arrived_parts(arrived: int, *, more: bool) -> Parts:
    """Say how many tasks wait to be shown."""
    if not arrived:
        return (("", ""),)
    return (f" ▲ {arrived}{'+' if more else ''} new ", "accent"), (" g show · f follow", "faint")


def place_parts(*, line: int, rows: int, total: int, marked: int, following: bool) -> Parts:
    """Say where the cursor is."""
    told: list[tuple[str, str]] = []
    if marked:
        told.append((f"{marked} marked  ", "mark"))
    if following:
        told.append(("following  ", "success"))
    if rows:
        told.append((f"{line + 1:,} of {max(total, rows):,} ", "muted"))
    return tuple(told)


def outcome_parts(outcome: Outcome) -> Parts:
    """Say what an action came to."""
    if outcome.trouble is not None:
        return ((f" {outcome.action} failed: {outcome.trouble}", "failed"),)
    skipped = outcome.asked - outcome.reached
    style = "warning" if skipped else "success"
    return ((f" {_DONE[outcome.action]} {outcome.reached}, skipped {skipped}", style),)


def refusal_parts(action: Action, chosen: Sequence[TaskRow]) -> Parts:
    """Say why an action does not apply to any of the chosen tasks."""
    if not chosen:
        return ((f" nothing to {action}", "warning"),)
    none = "it is not" if len(chosen) == 1 else f"none of {len(chosen)} is"
    return ((f" nothing to {action}: {none} {_WANTED[action]}", "warning"),)


def question(action: Action, chosen: Sequence[TaskRow], eligible: Sequence[TaskRow]) -> Question:
    """Ask before an action, with its scope and what it leaves out."""
    number = f"{count(len(eligible))} tasks" if len(eligible) > 1 else "this task"
    skipped = len(chosen) - len(eligible)
    left_out = f"\n{skipped} of {len(chosen)} left out: not {_WANTED[action]}" if skipped else ""
    names = list(dict.fromkeys(row.name for row in eligible))
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} other names" if len(names) > 3 else "")
    subject = f"{eligible[0].name}  {eligible[0].label}" if len(eligible) == 1 else shown
    return Question(clean(f"{action.capitalize()} {number}?"), Clean(subject + left_out))
