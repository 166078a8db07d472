"""What trouble with a Redis server means for the store, in one line."""

from redis import exceptions as driver

from sitq.exceptions import BackendError, ConnectionError, ResourceExhaustionError, SitqError, StoreBusyError

# How replies begin that another try, later, may not get.
_PASSING = {
    "LOADING": "is loading its data",
    "BUSY": "is busy with another program's script",
    "MASTERDOWN": "has lost its primary",
    "READONLY": "is a replica, or was demoted to one; give the URL of the primary",
    "CLUSTERDOWN": "is a cluster that is down",
    "TRYAGAIN": "is a cluster that is moving this store",
    "ASK": "is a cluster that is moving this store",
    "NOREPLICAS": "has too few replicas to take writes",
    "MISCONF": "cannot write to its disk and takes no more tasks",
}
# The driver leaves the code out of the text where it has a class for it.
_CODES: dict[type[driver.RedisError], str] = {
    driver.BusyLoadingError: "LOADING",
    driver.MasterDownError: "MASTERDOWN",
    driver.ReadOnlyError: "READONLY",
    driver.ClusterDownError: "CLUSTERDOWN",
    driver.TryAgainError: "TRYAGAIN",
    driver.AskError: "ASK",
}


def lost(shown: str, exc: BaseException) -> ConnectionError:
    """Make the error of a server that cannot be reached, or went away; it may come back."""
    reason = "it does not answer" if isinstance(exc, TimeoutError) else _reason(exc)
    error = ConnectionError(f"cannot reach {shown} ({reason}); start the server, or correct the URL")
    error.transient = True
    return error


def refused_login(shown: str, exc: BaseException) -> ConnectionError:
    return ConnectionError(f"{shown} refused the login ({_reason(exc)}); correct user and password in the URL")


def store_error(shown: str, exc: driver.RedisError) -> SitqError:
    """Say what a server's error reply means."""
    text = _reason(exc)
    code = text.partition(" ")[0]
    if isinstance(exc, driver.OutOfMemoryError) or "OOM" in text:
        return ResourceExhaustionError(
            f"{shown} has no memory left (maxmemory); nothing was stored, purge or enlarge it"
        )
    code = next((known for kind, known in _CODES.items() if isinstance(exc, kind)), code)
    if code in _PASSING:
        return StoreBusyError(f"{shown} {_PASSING[code]} ({text})")
    if isinstance(exc, (driver.NoPermissionError, driver.AuthorizationError)) or code in ("NOPERM", "NOAUTH"):
        return BackendError(
            f"{shown} does not permit what the store needs ({text}); allow this user all commands on it"
        )
    return BackendError(f"{shown} failed ({text})")


def _reason(exc: BaseException) -> str:
    return " ".join(str(exc).split()).rstrip(".") or type(exc).__name__
