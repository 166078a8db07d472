"""The monitor as a program: its screen, its palette, its themes, and what it remembers of a person."""

import os
from collections.abc import Iterable
from functools import partial
from typing import Any

from textual.app import App, SystemCommand
from textual.screen import Screen

from sitq_monitor.clock import Clock, utc_now
from sitq_monitor.keys import SCREEN_KEYS, allowed
from sitq_monitor.screen import TaskScreen
from sitq_monitor.settings import Settings
from sitq_monitor.source import Source

THEME = "tokyo-night"
THEME_VARIABLE = "TEXTUAL_THEME"


class MonitorApp(App[None]):
    """Shows a store live.

    Args:
        source: where news comes from; it is listened to, and left open.
        path: what to call the store.
        read_only: without the keys that change tasks.
        clock: tells the time, by which ages and running times are counted.
        settings: what is remembered of the person.
    """

    CSS_PATH = "monitor.tcss"
    TITLE = "sitq-monitor"
    PAUSE_GC_ON_SCROLL = True

    def __init__(
        self,
        source: Source,
        *,
        path: str,
        read_only: bool = False,
        clock: Clock = utc_now,
        settings: Settings | None = None,
    ) -> None:
        super().__init__()
        self.animation_level = "none"  # a scroll that glides sends ten times the bytes
        self.settings = settings or Settings()
        self._read_only = read_only
        self.main = TaskScreen(source, path=path, read_only=read_only, clock=clock, settings=self.settings)
        wanted = os.environ.get(THEME_VARIABLE) or self.settings.theme
        self.theme = wanted if wanted in self.available_themes else THEME

    def get_default_screen(self) -> Screen[Any]:
        return self.main

    def on_mount(self) -> None:
        self.theme_changed_signal.subscribe(self, self._like)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Offer what the keys do, and the filters that were kept, besides what Textual offers."""
        yield from super().get_system_commands(screen)
        for key in allowed(SCREEN_KEYS, read_only=self._read_only):
            run = partial(self.run_action, key.action, self.main)
            yield SystemCommand(f"{key.label.capitalize()}  {key.shown}", key.group, run)
        for name, text in self.settings.kept.items():
            yield SystemCommand(f"Filter: {name}", text, partial(self.main.filter_by, text))

    def _like(self, theme: Any) -> None:
        if not os.environ.get(THEME_VARIABLE):
            self.settings.like(theme.name)
