"""What an error of SQLite means for the store, in one line."""

import sqlite3

from sitq.exceptions import BackendError, ResourceExhaustionError, SitqError, StoreBusyError

# What reading a value raises that sitq never writes; SQLite keeps any type in any column.
UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
_UNDECODABLE = "Could not decode to UTF-8"
_LONGEST = 300  # characters of what is said about such a value


def is_unreadable(exc: BaseException) -> bool:
    """Tell a value that sitq did not write from other trouble."""
    if isinstance(exc, sqlite3.OperationalError):
        return str(exc).startswith(_UNDECODABLE)
    return isinstance(exc, UNREADABLE) and not isinstance(exc, SitqError)


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


def meaning_of(exc: Exception, path: str) -> Exception:
    """Make the error that a caller sees of one that was raised in a transaction."""
    if is_unreadable(exc):
        text = f"{path} holds a value that sitq did not write, {described(exc)}; mend or delete its row"
        error: SitqError = BackendError(text)
    elif isinstance(exc, sqlite3.Error):
        error = store_error(exc, path)
    else:
        return exc
    error.__cause__ = exc  # it is raised elsewhere, and what it was made of must be seen there
    return error


def described(exc: Exception) -> str:
    return " ".join(f"{type(exc).__name__}: {exc}".split())[:_LONGEST]


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
