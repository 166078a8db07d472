"""What an error of SQLite means for the store, in one line."""

import sqlite3

from sitq.exceptions import BackendError, ResourceExhaustionError, SitqError, StoreBusyError


def is_busy(exc: BaseException) -> bool:
    """Tell a lock that may be free a moment later from other trouble."""
    return getattr(exc, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def is_store_trouble(exc: BaseException) -> bool:
    """Tell trouble of the whole store, which no retry of one operation alone can cure."""
    if isinstance(exc, BackendError):
        return True
    return isinstance(exc, sqlite3.Error) and getattr(exc, "sqlite_errorcode", 0) & 0xFF in _STORE_TROUBLE


_STORE_TROUBLE = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
)

_PASSING = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR)

_MEANING = {
    sqlite3.SQLITE_BUSY: "is locked by another program",
    sqlite3.SQLITE_LOCKED: "is locked by another connection",
    sqlite3.SQLITE_IOERR: "cannot be read or written by the operating system",
    sqlite3.SQLITE_READONLY: "is read-only; make the file and its folder writable",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; the file and its folder must be writable",
    sqlite3.SQLITE_CORRUPT: "is damaged; stop all workers and run `sqlite3 FILE .recover` on a copy",
    sqlite3.SQLITE_NOTADB: "is not a SQLite database and was left as it is; name another file",
}


def store_error(exc: sqlite3.Error, path: str) -> SitqError:
    """Say in one line what an error of SQLite means for the store."""
    code = getattr(exc, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return ResourceExhaustionError(
            f"no space left on the disk of {path}; nothing was stored, free some and try again"
        )
    if code == sqlite3.SQLITE_TOOBIG or "too big" in str(exc):
        return ResourceExhaustionError(f"a value is larger than {path} can hold; keep it in a file and pass the path")
    kind = StoreBusyError if code in _PASSING else BackendError
    return kind(f"{path} {_MEANING.get(code, 'failed')} ({exc})")
