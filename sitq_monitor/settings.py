"""What the monitor remembers of a person between two runs: the filters used last, those kept by name, the theme."""

import contextlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sitq.sanitize import clean

HISTORY = 50
FOLDER_VARIABLE = "SITQ_MONITOR_CONFIG"


@dataclass(slots=True)
class Settings:
    """Remembers, and writes down when told; a file that cannot be read or written is no reason to stop.

    Attributes:
        path: where it is written down; None keeps it in memory.
        history: filters, the last one first.
        kept: filters by the name that they were given.
    """

    path: Path | None = None
    history: list[str] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)
    theme: str = ""

    @classmethod
    def load(cls, path: Path) -> "Settings":
        """Read what was written down."""
        settings = cls(path)
        with contextlib.suppress(OSError, ValueError):
            told = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(told, dict):
                settings._take(told)
        return settings

    def used(self, filter: str) -> None:
        """Note that a filter was used."""
        self.history = [filter, *(one for one in self.history if one != filter)][:HISTORY]
        self._save()

    def keep(self, name: str, filter: str) -> None:
        """Keep a filter by name; an empty one is forgotten."""
        self.kept.pop(name, None)
        if filter:
            self.kept[name] = filter
        self._save()

    def like(self, theme: str) -> None:
        """Take this theme from now on."""
        if theme != self.theme:
            self.theme = theme
            self._save()

    def _take(self, told: dict[str, Any]) -> None:
        self.history = [str(clean(one)) for one in _texts(told.get("history"))][:HISTORY]
        kept = told.get("filters")
        if isinstance(kept, dict):
            self.kept = {str(clean(name)): str(clean(one)) for name, one in kept.items() if isinstance(one, str)}
        self.theme = "".join(_texts([told.get("theme")]))

    def _save(self) -> None:
        if self.path is None:
            return
        told = {"history": self.history, "filters": self.kept, "theme": self.theme}
        written = self.path.with_suffix(f".{os.getpid()}")
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            written.write_text(json.dumps(told, indent=2), encoding="utf-8")
            written.replace(self.path)


def settings_file() -> Path:
    """Find the file in the person's configuration folder."""
    if folder := os.environ.get(FOLDER_VARIABLE):
        return Path(folder) / "monitor.json"
    from platformdirs import user_config_path

    return user_config_path("sitq", appauthor=False) / "monitor.json"


def _texts(told: object) -> list[str]:
    return [one for one in told if isinstance(one, str)] if isinstance(told, list) else []
