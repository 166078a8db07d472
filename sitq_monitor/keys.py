"""The one table of keys, from which bindings, footer and help are made. An upper-case key changes something."""

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from itertools import groupby

from sitq_monitor.format import face
from sitq_monitor.model import STATES


@dataclass(frozen=True, slots=True)
class Key:
    """A key and what it does.

    Attributes:
        keys: names as Textual has them, separated by commas.
        shown: how people read them.
        action: Textual's action.
        label: what it does, in a few words.
        group: heading in the help.
        hint: the word in the footer; "" leaves it out there.
        rank: the place in the footer; the last ones are left out where it is narrow.
        mutates: it changes tasks, so that a read-only monitor does not have it.
        only: "list" or "task" when the footer names it only where that is on the screen.
    """

    keys: str
    shown: str
    action: str
    _: KW_ONLY
    label: str
    group: str
    hint: str = ""
    rank: int = 0
    mutates: bool = False
    only: str = ""


def _state_keys() -> Iterator[Key]:
    for number, state in enumerate(STATES, start=1):
        word = face(state.value).word if state else "all"
        yield Key(str(number), str(number), f"state({number - 1})", label=f"{word} tasks", group="Show")


APP_KEYS = (
    Key("enter", "Enter", "open", label="open the task", group="Show", hint="open", rank=1, only="list"),
    Key("escape", "Esc", "leave", label="back to the list; unmark", group="Show", hint="back", rank=1, only="task"),
    Key("R", "R", "act('requeue')", label="requeue", group="Change", hint="requeue", rank=2, mutates=True),
    Key("C", "C", "act('cancel')", label="cancel", group="Change", hint="cancel", rank=3, mutates=True),
    *_state_keys(),
    Key("f", "f", "follow", label="follow: newest tasks come in on top", group="Watch", hint="follow", rank=7),
    Key("P", "P", "pause", label="pause reading the store", group="Watch", hint="pause", rank=8),
    Key("question_mark", "?", "help", label="this help", group="Other", hint="help", rank=5),
    Key("q", "q", "quit", label="quit", group="Other", hint="quit", rank=6),
)

TABLE_KEYS = (
    Key("j,down", "j ↓", "move(1)", label="next task", group="Move"),
    Key("k,up", "k ↑", "move(-1)", label="task before", group="Move"),
    Key("pagedown,ctrl+d", "PgDn", "page(1)", label="a page down", group="Move"),
    Key("pageup,ctrl+u", "PgUp", "page(-1)", label="a page up", group="Move"),
    Key("g,home", "g Home", "newest", label="newest task, with what came in since", group="Move"),
    Key("G,end", "G End", "oldest", label="oldest task loaded; again loads more", group="Move"),
    Key(
        "space",
        "Space",
        "mark",
        label="mark, for changing several",
        group="Change",
        hint="mark",
        rank=4,
        only="list",
        mutates=True,
    ),
)

DETAIL_KEYS = (
    Key("j,down", "j ↓", "scroll_down", label="scroll down", group="In a task"),
    Key("k,up", "k ↑", "scroll_up", label="scroll up", group="In a task"),
    Key("pagedown,ctrl+d,space", "PgDn", "page_down", label="a page down", group="In a task"),
    Key("pageup,ctrl+u", "PgUp", "page_up", label="a page up", group="In a task"),
    Key("g,home", "g Home", "scroll_home", label="top", group="In a task"),
    Key("G,end", "G End", "scroll_end", label="end", group="In a task"),
)


def allowed(keys: tuple[Key, ...], *, read_only: bool) -> tuple[Key, ...]:
    """Leave out what a read-only monitor does not have."""
    return tuple(key for key in keys if not (read_only and key.mutates))


def footer(place: str, *, read_only: bool) -> tuple[Key, ...]:
    """Choose the keys that the bottom line names while the "list" or the "task" has the screen."""
    keys = allowed((*APP_KEYS, *TABLE_KEYS), read_only=read_only)
    hinted = (key for key in keys if key.hint and key.only in ("", place))
    return tuple(sorted(hinted, key=lambda key: key.rank))


def groups(*, read_only: bool) -> list[tuple[str, list[Key]]]:
    """Sort all keys under their headings."""
    every = allowed((*TABLE_KEYS, *APP_KEYS, *DETAIL_KEYS), read_only=read_only)
    order = list(dict.fromkeys(key.group for key in every))
    ordered = sorted(every, key=lambda key: order.index(key.group))
    return [(name, list(keys)) for name, keys in groupby(ordered, key=lambda key: key.group)]
