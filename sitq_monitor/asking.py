"""Asks a person for a line of text that steers what is shown."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from textual.app import App

from sitq.sanitize import clean
from sitq_monitor import language
from sitq_monitor.view import Place
from sitq_monitor.widgets.prompt import Prompt

PLACE_HINT = "a time ago like 30m or 7d, a time of day like 14:30, a date, a part like 50%, or end"


def ask_place(app: App[Any], now: Callable[[], datetime], then: Callable[[Place], None]) -> None:
    """Ask where in the list to go."""

    def answered(text: str | None) -> None:
        if text is not None:
            then(language.place(text, now()))

    def trouble(text: str) -> str:
        return language.trouble_of(lambda: language.place(text, now()))

    app.push_screen(Prompt("Go to", hint=PLACE_HINT, check=trouble), answered)


def ask_name(app: App[Any], filter: str, then: Callable[[str], None]) -> None:
    """Ask for a name to keep a filter by."""

    def answered(name: str | None) -> None:
        if name:
            then(name)

    app.push_screen(Prompt("Keep this filter as", hint=clean(filter)), answered)
