"""What trouble with PostgreSQL means for the store, in one line."""

from typing import Any

import asyncpg

from sitq.backends.postgres.address import Address
from sitq.exceptions import (
    BackendError,
    ConnectionError,
    ResourceExhaustionError,
    SitqError,
    StoreBusyError,
    TaskQueueError,
    ValidationError,
)

REFUSED = "SQ001"  # raised by the store's own functions, with the task's id as detail
# What another transaction did at the same moment: a deadlock, a serialization failure, a key that was taken.
_COLLISIONS = ("40P01", "40001", "23505")
_SHUTTING_DOWN = ("57P01", "57P02", "57P03", "53300")

_MEANING = {
    "28P01": "refuses the password",
    "28000": "refuses the user; see the server's pg_hba.conf",
    "3D000": "has no such database; create it first",
    "42501": "does not give this user the right; it must own the schema, or be granted its use",
    "25006": "allows no changes; name the primary server, not a replica",
    "3F000": "has lost the store's schema; connect again to make it",
    "42P01": "has lost the store's tables; connect again to make them",
    "42883": "has other functions than this version of sitq; let all processes use one version",
}


def sqlstate(exc: BaseException) -> str:
    return getattr(exc, "sqlstate", None) or ""


def is_collision(exc: BaseException) -> bool:
    """Tell what a second try can cure."""
    return sqlstate(exc) in _COLLISIONS


def is_shutting_down(exc: BaseException) -> bool:
    """Tell that the server takes no connections for a while."""
    return sqlstate(exc) in _SHUTTING_DOWN


def lost(address: Address, exc: BaseException) -> ConnectionError:
    """Say that the server does not answer; it may do so again."""
    error = ConnectionError(f"{address.shown} does not answer ({_said(exc)}); is the server up?", cause=exc)
    error.transient = True
    return error


def refusal(exc: BaseException) -> TaskQueueError:
    """Say why a task was not stored; the store's own functions have put it in words."""
    diagnosis: Any = getattr(exc, "diag", None)  # where psycopg keeps what asyncpg has as attributes
    if diagnosis is not None:
        return TaskQueueError(diagnosis.message_primary, cause=exc, task_id=diagnosis.message_detail)
    return TaskQueueError(getattr(exc, "message", str(exc)), cause=exc, task_id=getattr(exc, "detail", None))


def store_error(exc: BaseException, address: Address) -> SitqError:
    """Say in one line what an error of the server or of the driver means for the store."""
    code = sqlstate(exc)
    if code == REFUSED:
        return refusal(exc)
    if code == "22021":
        return ValidationError("queue, key, id and tags must not hold the character NUL, got one that does", cause=exc)
    if code.startswith("53"):
        return ResourceExhaustionError(f"the server of {address.shown} is out of resources ({_said(exc)})", cause=exc)
    if code.startswith("54") or "too large" in str(exc):
        return ResourceExhaustionError(
            f"a value is larger than {address.shown} can hold ({_said(exc)}); keep it elsewhere and pass its place",
            cause=exc,
        )
    if is_collision(exc) or code in ("55P03", "57014"):
        return StoreBusyError(f"{address.shown} is busy with other transactions ({_said(exc)})", cause=exc)
    if isinstance(exc, asyncpg.PostgresError) and code[:2] in ("28", "3D"):
        return ConnectionError(f"{address.shown} {_MEANING.get(code, 'refuses')} ({_said(exc)})", cause=exc)
    return BackendError(f"{address.shown} {_MEANING.get(code, 'failed')} ({_said(exc)})", cause=exc)


def _said(exc: BaseException) -> str:
    text = " ".join(str(exc).split())
    return text or type(exc).__name__
