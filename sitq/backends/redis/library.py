"""The store's verbs as the server runs them, each as one transaction: a library of functions, put together from Lua."""

import hashlib
from functools import cache
from importlib.resources import files
from typing import NamedTuple

_SHARED = ("prelude", "states", "dependencies", "owners", "storing", "forgetting", "scheduling", "reading")
_VERBS = (
    *("open", "enqueue", "exchange", "heartbeat", "stop_requests", "report"),
    *("cancel", "requeue", "run_now", "delete", "purge", "set_paused"),
    *("results", "tasks", "needs", "attempts", "list", "stats"),
    *("put_schedule", "remove_schedule", "pause_schedule", "schedules", "fire", "run_schedule_now"),
    *("restore", "stored_schedules"),
)


class Library(NamedTuple):
    """The text that a server loads, under a name of its own, so that programs of two versions can share a server."""

    name: str
    text: str

    def function(self, verb: str) -> str:
        return f"{self.name}_{verb}"


@cache
def library() -> Library:
    """Put the library together. The functions of a verb are seen by that verb alone."""
    folder = files("sitq.backends.redis") / "lua"
    parts = [(folder / f"{part}.lua").read_text("utf-8") for part in _SHARED]
    parts += [f"do\n{(folder / f'{verb}.lua').read_text('utf-8')}end\n" for verb in _VERBS]
    body = "\n".join(parts)
    name = f"sitq_{hashlib.sha256(body.encode()).hexdigest()[:12]}"
    return Library(name, f"#!lua name={name}\nlocal LIBRARY = '{name}'\n{body}")
