"""Asks a person for a name to keep a filter by."""

from collections.abc import Callable
from typing import Any

from textual.app import App

from sitq.sanitize import clean
from sitq_monitor.widgets.prompt import Prompt


def ask_name(app: App[Any], filter: str, then: Callable[[str], None]) -> None:
    """Ask for a name to keep a filter by."""

    def answered(name: str | None) -> None:
        if name:
            then(name)

    app.push_screen(Prompt("Keep this filter as", hint=clean(filter)), answered)
