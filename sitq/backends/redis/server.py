"""Whether a Redis server is new enough for the store, and how it may lose tasks."""

import logging
from collections.abc import Iterator

from sitq.exceptions import ConfigurationError

logger = logging.getLogger(__name__)

_OLDEST = 7
_told: set[str] = set()


def check_server(info: bytes, saves: bytes | None, shown: str) -> None:
    """Read what a server says of itself, and log, once in this process, how it may lose tasks.

    Args:
        info: its answer to INFO; empty where it does not say.
        saves: when it takes snapshots; None where it does not say.

    Raises:
        ConfigurationError: it is too old.
    """
    lines = (line.partition(":") for line in info.decode("utf-8", "replace").splitlines())
    fields = {name: value for name, _, value in lines}
    version = fields.get("redis_version", "")
    if version and int(version.partition(".")[0]) < _OLDEST:
        raise ConfigurationError(f"{shown} is Redis {version}; Redis 7 or newer, or Valkey, is needed")
    for risk in _risks(fields, saves):
        message = f"{shown} {risk}"
        if message not in _told:
            _told.add(message)
            logger.warning("%s", message)


def _risks(fields: dict[str, str], saves: bytes | None) -> Iterator[str]:
    is_up = fields.get("loading") == "0"  # while it loads its log, it says that it keeps none
    if is_up and fields.get("aof_enabled") == "0" and saves == b"":
        yield "keeps tasks in memory only and loses them when it stops; set appendonly yes"
    policy = fields.get("maxmemory_policy", "")
    if fields.get("maxmemory", "0") != "0" and policy.startswith("allkeys"):
        yield f"throws tasks away when its memory is full ({policy}); set maxmemory-policy noeviction"
