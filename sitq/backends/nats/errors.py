"""What goes wrong with a NATS server, as errors of sitq."""

from sitq.exceptions import BackendError, ConnectionError, ResourceExhaustionError

# A condition on the last sequence does not hold, or another write that it depends on is still under way.
_COLLISIONS = (10071, 10164)
# 10077 the stream is full, 10047 and 10023 the server has no storage or no resources left
_FULL = (10077, 10047, 10023)
_TOO_BIG = (10054,)


class ServerAwayError(ConnectionError):
    """The server does not answer for now; the connection is made again by itself."""

    transient = True


class CollisionError(Exception):
    """Somebody else wrote first; the verb looks again."""


def error_of(answer: object, what: str) -> Exception:
    """Make an error of the `error` object in an answer of JetStream."""
    facts = answer if isinstance(answer, dict) else {}
    code, text = facts.get("err_code"), facts.get("description", "unknown error")
    if code in _COLLISIONS:
        return CollisionError(text)
    if code in _FULL:
        return ResourceExhaustionError(f"the NATS server has no room left to {what}: {text}")
    if code in _TOO_BIG:
        return ResourceExhaustionError(f"the NATS server takes no message of that size to {what}: {text}")
    if facts.get("code") == 503:
        return ServerAwayError(f"the NATS server could not {what}: {text}; it is tried again")
    return BackendError(f"the NATS server could not {what}: {text}")


def reason_of(exc: Exception) -> str:
    """Say what the driver says, on one line."""
    return " ".join(str(exc).split()) or type(exc).__name__
