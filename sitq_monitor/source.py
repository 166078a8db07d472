"""Where the screen gets its news from and what it hands its wishes to; `Feed` is one, tests have another."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from sitq_monitor.deed import Action, Done, Plan, Progress, Scope, Tally
from sitq_monitor.view import Snapshot, View

News = Snapshot | Plan | Progress | Tally | Done


class Source(Protocol):
    """Answers views, and does what it is told; all that comes of it is posted to who listens."""

    rate: float

    def listen(self, post: Callable[[News], None]) -> None: ...
    def look(self, view: View) -> None: ...
    def plan(self, action: Action, scope: Scope) -> None: ...
    def act(self, plan: Plan) -> None: ...
    def set_paused(self, queue: str, paused: bool) -> None: ...
    def export(self, path: Path, scope: Scope) -> None: ...
    def halt(self) -> None: ...
