"""The store's scripts: one for each verb, put together from files of Lua; the server runs each as one transaction."""

import hashlib
from functools import cache
from importlib.resources import files
from typing import NamedTuple

_ACTING = ("prelude", "states", "dependencies", "owners")
_PARTS = {
    "open": ("prelude",),
    "enqueue": (*_ACTING, "storing"),
    "restore": (*_ACTING, "storing"),
    "exchange": _ACTING,
    "heartbeat": _ACTING,
    "stop_requests": _ACTING,
    "report": ("prelude",),
    "cancel": _ACTING,
    "requeue": _ACTING,
    "run_now": _ACTING,
    "delete": (*_ACTING, "forgetting"),
    "purge": (*_ACTING, "forgetting"),
    "set_paused": ("prelude",),
    "results": ("prelude",),
    "tasks": ("prelude", "reading"),
    "needs": ("prelude", "reading"),
    "attempts": ("prelude",),
    "list": ("prelude",),
    "stats": ("prelude",),
    "put_schedule": (*_ACTING, "storing", "scheduling"),
    "remove_schedule": (*_ACTING, "storing", "scheduling"),
    "pause_schedule": (*_ACTING, "storing", "scheduling"),
    "schedules": (*_ACTING, "storing", "scheduling"),
    "stored_schedules": (*_ACTING, "storing", "scheduling"),
    "fire": (*_ACTING, "storing", "scheduling"),
    "run_schedule_now": (*_ACTING, "storing", "scheduling"),
}
NAMES = tuple(_PARTS)


class Script(NamedTuple):
    """A script as the server knows it.

    Attributes:
        sha: the digest by which it is called.
    """

    text: str
    sha: str


@cache
def script(name: str) -> Script:
    """Put the script of a verb together."""
    folder = files("sitq.backends.redis") / "lua"
    text = "\n".join((folder / f"{part}.lua").read_text("utf-8") for part in (*_PARTS[name], name))
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())
