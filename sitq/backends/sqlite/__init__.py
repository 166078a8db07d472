"""The store in one SQLite file, or in memory."""

from sitq.backends.sqlite.backend import SQLiteBackend
from sitq.backends.sqlite.files import SharedFolderWarning
from sitq.backends.sqlite.memory import MemoryBackend

__all__ = ["MemoryBackend", "SQLiteBackend", "SharedFolderWarning"]
