"""How states, moments, durations and counts are written, so that every widget writes them alike."""

from datetime import UTC, datetime
from typing import NamedTuple

MINUTE, HOUR, DAY = 60, 3_600, 86_400


class Face(NamedTuple):
    """How a state looks: a glyph of one cell, its word, and the names of their styles.

    What went well is the rule and stays calm, so that the eye finds what did not.
    """

    glyph: str
    word: str
    style: str
    word_style: str


# No glyph here has an emoji form: terminals that prefer emoji would draw it two cells wide.
FACES = {
    face.word: face
    for face in (
        Face("○", "pending", "name", "name"),
        Face("◷", "scheduled", "name", "muted"),
        Face("↻", "retrying", "warning", "warning"),
        Face("◌", "blocked", "warning", "warning"),
        Face("▸", "running", "running", "running"),
        Face("!", "stalled", "warning", "warning"),
        Face("✓", "success", "success", "muted"),
        Face("✗", "failed", "failed", "failed"),
        Face("⊘", "cancelled", "muted", "muted"),
        Face("·", "deleted", "faint", "faint"),
    )
}


def face(phase: str) -> Face:
    """Look a phase's face up; a phase that a newer sitq may name is shown by its word."""
    return FACES.get(phase) or Face("?", phase, "name", "name")


def duration(seconds: float) -> str:
    """Write a duration in at most five characters, with as much precision as a reader can use."""
    seconds = max(seconds, 0.0)
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 9.995:
        return f"{seconds:.2f}s"
    if seconds < MINUTE - 0.05:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < HOUR:
        return f"{whole // MINUTE}m{whole % MINUTE:02}"
    if whole < DAY:
        return f"{whole // HOUR}h{whole % HOUR // MINUTE:02}"
    days = f"{whole // DAY}d"
    return days if len(days) > 3 else f"{days}{whole % DAY // HOUR:02}"


def ticking(seconds: float) -> str:
    """Write a duration that is still growing, in whole seconds so that it does not change more often."""
    whole = max(int(seconds), 0)
    return f"{whole}s" if whole < MINUTE else duration(whole)


def age(seconds: float) -> str:
    """Write how long ago something was, in at most four characters and one unit."""
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "m")):
        if seconds >= size:
            return f"{min(int(seconds // size), 999)}{unit}"
    return f"{max(int(seconds), 0)}s"


_COUNT_UNITS = (("G", 1_000_000_000), ("M", 1_000_000), ("k", 1_000))


def count(number: int) -> str:
    """Write a count in at most five characters."""
    if number < 10_000:
        return str(number)
    unit, size = next((unit, size) for unit, size in _COUNT_UNITS if number >= size)
    tenths = number * 10 // size
    return f"{tenths // 10}.{tenths % 10}{unit}" if tenths < 1_000 else f"{tenths // 10}{unit}"


def moment(at: datetime | None, now: datetime) -> str:
    """Write a moment in local time: the time of day, with the date where that is another day."""
    if at is None:
        return "-"
    try:
        local, today = at.astimezone(), now.astimezone()
    except (OverflowError, ValueError, OSError):  # a year that the system's calendar cannot hold
        return at.replace(tzinfo=UTC).isoformat(sep=" ", timespec="seconds")
    return local.strftime("%H:%M:%S" if local.date() == today.date() else "%Y-%m-%d %H:%M:%S")
