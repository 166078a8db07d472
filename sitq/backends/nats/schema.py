"""The stream of a store: how it is made, and which versions of it this sitq knows.

The version stands in the stream's metadata; what brings an older one up to a newer goes into `open_stream`.
"""

from typing import Any

from sitq.backends.nats.address import Address
from sitq.backends.nats.connection import Connection, Write
from sitq.backends.nats.errors import ServerAwayError
from sitq.backends.refusals import schema_is_newer
from sitq.exceptions import BackendError, ConfigurationError

SCHEMA_VERSION = 1
_MARK = "sitq.schema"
_OLDEST_SERVER = (2, 12)  # transactions over several subjects
_NO_STREAM = "stream not found"


async def open_stream(connection: Connection, address: Address, *, create: bool) -> None:
    """Make the stream if it is missing, and refuse one that is not ours or too new.

    Raises:
        ConfigurationError: the server is too old, or runs without JetStream.
        BackendError: the stream is of another program or of a newer sitq, or is missing and must not be made.
    """
    _check_server(connection)
    for _ in range(2):  # another process may make it meanwhile
        config = await _look(connection)
        if config is not None:
            _check(config, address)
            if config["num_replicas"] > 1:
                connection.always_there = _always_there(address)
            return
        if not create:
            raise BackendError(f"there is no store at {address.shown}; a queue or a worker makes it")
        await _make(connection, address)
    raise BackendError(f"the store at {address.shown} could not be made")


def _check_server(connection: Connection) -> None:
    major, minor = connection.link.server_version
    if (major, minor) < _OLDEST_SERVER:
        raise ConfigurationError(f"a NATS server of version 2.12 or newer is needed, this one is {major}.{minor}")


async def _look(connection: Connection) -> dict[str, Any] | None:
    try:
        answer = await connection.call(f"STREAM.INFO.{connection.stream}", what="find the store")
    except ServerAwayError as exc:
        raise ConfigurationError(f"the NATS server has no JetStream; start it with -js ({exc})") from exc
    except BackendError as exc:
        if _NO_STREAM in str(exc):
            return None
        if "not enabled" in str(exc):
            raise ConfigurationError(
                f"JetStream is not enabled for this user; start the server with -js ({exc})"
            ) from exc
        raise
    config: dict[str, Any] = answer["config"]
    return config


def _check(config: dict[str, Any], address: Address) -> None:
    mark = config.get("metadata", {}).get(_MARK)
    if mark is None:
        raise BackendError(f"{address.shown} is a stream of another program; give sitq a prefix of its own")
    if int(mark) > SCHEMA_VERSION:
        raise schema_is_newer(address.shown, int(mark), SCHEMA_VERSION)


async def _make(connection: Connection, address: Address) -> None:
    config = {
        "name": address.prefix,
        "subjects": [f"{address.prefix}.>"],
        "retention": "limits",
        "storage": "file",
        "discard": "new",  # a full store refuses what comes, and forgets nothing
        "max_msgs_per_subject": 1,
        "discard_new_per_subject": False,
        "num_replicas": address.replicas,
        "allow_direct": True,
        "allow_msg_ttl": True,
        "allow_atomic": True,
        "metadata": {_MARK: str(SCHEMA_VERSION)},
    }
    try:
        await connection.call(f"STREAM.CREATE.{address.prefix}", config, what="make the store")
    except BackendError as exc:
        if "already in use" not in str(exc):
            raise
    await connection.write([Write(_always_there(address), b"")])


def _always_there(address: Address) -> str:
    """Name a subject that every store has: a read that finds nothing does not say how far it looked."""
    return f"{address.prefix}.store"
