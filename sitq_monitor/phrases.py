"""What the lines above and below the table say, and what is asked before something is changed."""

from sitq.core import TaskStatus
from sitq.sanitize import Clean, clean
from sitq.views import Order
from sitq_monitor.bars import upright
from sitq_monitor.deed import Action, Done, Plan, Progress, Tally
from sitq_monitor.format import count, duration
from sitq_monitor.model import Counts, Pulse
from sitq_monitor.question import Question
from sitq_monitor.view import MATCH_LIMIT

Parts = tuple[tuple[str, str], ...]

_DONE = {
    Action.REQUEUE: "requeued",
    Action.CANCEL: "cancelled",
    Action.DELETE: "deleted",
    Action.RUN_NOW: "made due",
    Action.RERUN: "rerun",
}
_WANTED = {
    Action.REQUEUE: "failed or cancelled",
    Action.CANCEL: "pending or running",
    Action.DELETE: "at rest, for what runs cannot be deleted",
    Action.RUN_NOW: "scheduled or retrying",
    Action.RERUN: "in the store any more",
}
_ASKED = {Action.RUN_NOW: "Run {} now?"}
_MEANT = {
    Action.RERUN: ("a copy under a new id; this task stays as it is", "copies under new ids; these stay as they are")
}
_ORDERS = {Order.NEWEST: "newest first", Order.OLDEST: "oldest first", Order.ENDED: "ended last first"}
ARGUMENTS_SHOWN = 100
TYPED_FROM = 100
"""A person who deletes more tasks than this types their number."""


def status_parts(*, path: Clean, trouble: Clean | None, live: bool, rate: float) -> Parts:
    """Say what is watched, and how that goes."""
    if trouble is not None:
        return (" sitq  ", "title"), ("! ", "failed"), (trouble, "failed")
    state = (("● ", "success"), ("live", "muted")) if live else (("‖ ", "warning"), ("paused", "warning"))
    often = ((f" {rate:g}/s", "faint"),) if live else ()
    return (" sitq ", "title"), (f" {path}  ", "name"), *state, *often


def pulse_parts(pulse: Pulse, room: int) -> Parts:
    """Say how fast tasks end, in as many words as there is room for."""
    if not any(pulse.ok) and not any(pulse.failed):
        return ()
    rate = (f"{pulse.rate:.1f}/s ", "name")
    all_bars = [ok + failed for ok, failed in zip(pulse.ok, pulse.failed, strict=True)]
    bars = (upright(all_bars, 8) + " ", "running")
    slow = (f"p95 {duration(pulse.took.p95)} ", "muted") if pulse.took else ("", "")
    failing = (f"failing {pulse.failing:.0%} ", "failed" if pulse.failing else "muted")
    parts: tuple[tuple[str, str], ...] = (rate, bars, slow, failing)
    while parts and sum(len(text) for text, _ in parts) > room:
        parts = parts[:-1]
    return parts


def rights_parts(counts: Counts, *, read_only: bool) -> Parts:
    """Say who works, and what may be done from here."""
    alive = counts.alive
    workers = f"{alive} worker{'s' if alive != 1 else ''}  " if alive else "no worker  "
    idle = alive == 0 and counts.of(TaskStatus.PENDING) > 0
    rights = ("read-only ", "warning") if read_only else ("read-write ", "muted")
    return (workers, "warning" if idle else "muted"), rights


def filter_parts(text: Clean) -> Parts:
    """Say what is filtered for."""
    return (" / ", "accent"), (text or "all", "name" if text else "faint")


def matches_parts(matches: int | None, order: Order) -> Parts:
    """Say how many match, and in which order they are listed."""
    told: list[tuple[str, str]] = []
    if matches is not None:
        more = "+" if matches >= MATCH_LIMIT else ""
        told.append((f"{matches:,}{more} match{'es' if matches != 1 else ''}  ", "name" if matches else "warning"))
    return *told, (f"{_ORDERS[order]} ", "muted" if order is Order.NEWEST else "accent")


def arrived_parts(arrived: int, *, more: bool, has_above: bool) -> Parts:
    """Say how many tasks wait to be shown."""
    if has_above:
        return (" ▲ more above ", "accent"), (" g top", "faint")
    if not arrived:
        return (("", ""),)
    return (f" ▲ {arrived}{'+' if more else ''} new ", "accent"), (" g show · f follow", "faint")


def place_parts(*, row: int | None, total: str, marked: int, all_marked: bool, following: bool) -> Parts:
    """Say where the cursor is.

    Args:
        row: the number of its row in the list, from 1; None when nobody has counted.
        total: rows in the list.
    """
    told: list[tuple[str, str]] = []
    if all_marked:
        told.append(("all that match marked  ", "mark"))
    elif marked:
        told.append((f"{marked} marked  ", "mark"))
    if following:
        told.append(("following  ", "success"))
    if row is not None:
        told.append((f"{row:,} of {total} ", "muted"))
    return tuple(told)


def news_parts(news: Progress | Tally | Done) -> Parts:
    """Say what is being done, or has been."""
    if isinstance(news, Progress):
        return progress_parts(news)
    return tally_parts(news) if isinstance(news, Tally) else done_parts(news)


def progress_parts(progress: Progress) -> Parts:
    """Say how far something has come."""
    of = f" of {progress.of:,}" if progress.of else ""
    return (f" {progress.what}: {progress.done:,}{of} ", "running"), (" Esc stop", "faint")


def tally_parts(outcome: Tally) -> Parts:
    """Say what an action came to."""
    done = f"{_DONE[outcome.action]} {outcome.reached:,}"
    if outcome.trouble is not None:
        so_far = f", {done} before" if outcome.reached else ""
        return ((f" {outcome.action.words} failed: {outcome.trouble}{so_far}", "failed"),)
    skipped = outcome.asked - outcome.reached
    moved_on = " (moved on)" if skipped else ""
    stopped = ", stopped before the end" if outcome.stopped else ""
    style = "warning" if skipped or outcome.stopped else "success"
    return ((f" {done}, skipped {skipped:,}{moved_on}{stopped}", style),)


def done_parts(done: Done) -> Parts:
    """Say that something has been done, or why not."""
    return ((f" {done.words}", "failed" if done.failed else "success"),)


def refusal_parts(plan: Plan) -> Parts:
    """Say why an action does not apply to any of the chosen tasks."""
    number = sum(skipped for _, skipped in plan.skipped)
    if not number:
        return ((f" nothing to {plan.action.words}", "warning"),)
    none = "it is not" if number == 1 else f"none of {number:,} is"
    return ((f" nothing to {plan.action.words}: {none} {_WANTED[plan.action]}", "warning"),)


def question(plan: Plan, filter_text: Clean) -> Question:
    """Ask before an action, with its scope and what it leaves out."""
    more = "" if plan.counted_all else "more than "
    number = f"{more}{plan.eligible:,} tasks" if plan.eligible > 1 else "this task"
    verb = plan.action.words.capitalize()
    lines = [", ".join(plan.names[:3]) + (" and others" if len(plan.names) > 3 else "")]
    if plan.arguments:
        lines.append(clean(plan.arguments, ARGUMENTS_SHOWN))
    if plan.scope.ids is None:
        lines.append(f"all that match {filter_text or 'the list'}, up to now")
    if plan.skipped:
        lines.append(f"{', '.join(f'{count(number)} {status}' for status, number in plan.skipped)} left out")
    if plan.action in _MEANT:
        lines.append(_MEANT[plan.action][plan.eligible > 1])
    typed = str(plan.eligible) if plan.action is Action.DELETE and plan.eligible > TYPED_FROM else ""
    asked = _ASKED.get(plan.action, f"{verb} {{}}?").format(number)
    return Question(clean(asked), Clean("\n".join(lines)), clean(verb), typed)
