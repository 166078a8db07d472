"""The store in one SQLite file."""

from sitq.backends.sqlite.backend import SQLiteBackend
from sitq.backends.sqlite.files import SharedFolderWarning

__all__ = ["SQLiteBackend", "SharedFolderWarning"]
