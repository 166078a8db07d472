"""The one table of keys, from which bindings, footer, palette and help are made.

An upper-case key changes tasks, but for `G`, `K`, `P`, `Q` and `Y`, which are so everywhere.
"""

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
        only: places whose footer names it; () is all of them.
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
    only: tuple[str, ...] = ()


_LIST = ("list",)
_TASKS = ("list", "task")
_ROSTERS = ("queues", "schedules", "workers")


def _state_keys() -> Iterator[Key]:
    for number, state in enumerate(STATES, start=1):
        word = face(state.value).word if state else "all"
        yield Key(str(number), str(number), f"state({number - 1})", label=f"{word} tasks", group="Show")


# fmt: off
SCREEN_KEYS = (
    Key("enter", "Enter", "open", label="open the task", group="Show", hint="open", rank=1, only=("list", "queues")),
    Key("escape", "Esc", "leave", label="back; stop what is being done; unmark; drop the filter", group="Show",
        hint="back", rank=1, only=("task", *_ROSTERS)),
    Key("R", "R", "act('requeue')", label="requeue", group="Change", hint="requeue", rank=2, mutates=True, only=_TASKS),
    Key("C", "C", "act('cancel')", label="cancel", group="Change", hint="cancel", rank=3, mutates=True, only=_TASKS),
    Key("D", "D", "act('delete')", label="delete", group="Change", hint="delete", rank=4, mutates=True, only=_TASKS),
    Key("N", "N", "run_now", label="run now: scheduled and retrying ones, or the schedule", group="Change",
        hint="run now", rank=7, mutates=True, only=(*_TASKS, "schedules")),
    Key("X", "X", "act('rerun')", label="rerun: a copy under a new id", group="Change", hint="rerun", rank=8,
        mutates=True, only=_TASKS),
    Key("S", "S", "turn", label="stop or resume the queue or the schedule, in their lists", group="Change",
        hint="stop / resume", rank=2, mutates=True, only=("queues", "schedules")),
    *_state_keys(),
    Key("left_square_bracket", "[", "next_state(-1)", label="state before", group="Show"),
    Key("right_square_bracket", "]", "next_state(1)", label="next state", group="Show"),
    Key("w", "w", "roster('workers')", label="workers", group="Show", hint="workers", rank=8),
    Key("Q", "Q", "roster('queues')", label="queues", group="Show", hint="queues", rank=9),
    Key("c", "c", "roster('schedules')", label="schedules", group="Show", hint="schedules", rank=9),
    Key("z", "z", "zoom", label="the task over the whole width, and back", group="Show"),
    Key("slash", "/", "filter", label="filter", group="Find", hint="filter", rank=6, only=_LIST),
    Key("s", "s", "sort", label="sort: newest, oldest, ended last", group="Find", hint="sort", rank=10, only=_LIST),
    Key("t", "t", "range", label="range of time", group="Find", hint="range", rank=11, only=_LIST),
    Key("colon", ":", "go_to", label="go to a moment or a part: 14:30, 2h, 50%", group="Find"),
    Key("K", "K", "keep", label="keep the filter by a name", group="Find"),
    Key("f", "f", "follow", label="follow: what is new comes in on top", group="Watch", hint="follow", rank=7,
        only=_LIST),
    Key("P", "P", "pause", label="pause reading the store", group="Watch", hint="pause", rank=13),
    Key("plus", "+", "rate(1)", label="read more often", group="Watch"),
    Key("minus", "-", "rate(-1)", label="read less often", group="Watch"),
    Key("y", "y", "copy_id", label="copy the id", group="Take away", hint="copy id", rank=12, only=_TASKS),
    Key("Y", "Y", "copy_text", label="copy the traceback, or else the arguments", group="Take away"),
    Key("e", "e", "export", label="export to .jsonl, .csv or, as a picture, .svg", group="Take away", hint="export",
        rank=14, only=_LIST),
    Key("tab", "Tab", "other_pane", label="other pane", group="Other"),
    Key("question_mark", "?", "help", label="this help", group="Other", hint="help", rank=5),
    Key("q", "q", "app.quit", label="quit", group="Other", hint="quit", rank=15),
)

TABLE_KEYS = (
    Key("j,down", "j ↓", "move(1)", label="next row", group="Move"),
    Key("k,up", "k ↑", "move(-1)", label="row before", group="Move"),
    Key("pagedown,ctrl+d", "PgDn", "page(1)", label="a page down", group="Move"),
    Key("pageup,ctrl+u", "PgUp", "page(-1)", label="a page up", group="Move"),
    Key("g,home", "g Home", "newest", label="top of the list, with what came in since", group="Move"),
    Key("G,end", "G End", "oldest", label="end of the list", group="Move"),
    Key("space", "Space", "mark", label="mark, for changing several", group="Change", hint="mark", rank=4, only=_LIST,
        mutates=True),
    Key("asterisk", "*", "mark_all", label="mark all that match", group="Change", mutates=True),
    Key("u", "u", "unmark", label="take all marks away", group="Change", mutates=True),
)
ROSTER_KEYS = TABLE_KEYS[:6]
MUTATING = frozenset(key.action.partition("(")[0] for key in SCREEN_KEYS if key.mutates)

DETAIL_KEYS = (
    Key("j,down", "j ↓", "scroll_down", label="scroll down", group="In a task"),
    Key("k,up", "k ↑", "scroll_up", label="scroll up", group="In a task"),
    Key("pagedown,ctrl+d,space", "PgDn", "page_down", label="a page down", group="In a task"),
    Key("pageup,ctrl+u", "PgUp", "page_up", label="a page up", group="In a task"),
    Key("g,home", "g Home", "scroll_home", label="top", group="In a task"),
    Key("G,end", "G End", "scroll_end", label="end", group="In a task"),
    Key("n", "n", "section(1)", label="next section", group="In a task"),
    Key("p", "p", "section(-1)", label="section before", group="In a task"),
    Key("o", "o", "unfold", label="frames of libraries, and back", group="In a task", hint="library frames", rank=5,
        only=("task",)),
)
# fmt: on


def allowed(keys: tuple[Key, ...], *, read_only: bool) -> tuple[Key, ...]:
    """Leave out what a read-only monitor does not have."""
    return tuple(key for key in keys if not (read_only and key.mutates))


def footer(place: str, *, read_only: bool) -> tuple[Key, ...]:
    """Choose the keys that the bottom line names while one of the screen's places has it."""
    keys = allowed((*SCREEN_KEYS, *TABLE_KEYS, *DETAIL_KEYS), read_only=read_only)
    hinted = (key for key in keys if key.hint and (not key.only or place in key.only))
    return tuple(sorted(hinted, key=lambda key: key.rank))


def groups(*, read_only: bool) -> list[tuple[str, list[Key]]]:
    """Sort all keys under their headings."""
    every = allowed((*TABLE_KEYS, *SCREEN_KEYS, *DETAIL_KEYS), read_only=read_only)
    order = list(dict.fromkeys(key.group for key in every))
    ordered = sorted(every, key=lambda key: order.index(key.group))
    return [(name, list(keys)) for name, keys in groupby(ordered, key=lambda key: key.group)]
