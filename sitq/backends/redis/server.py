"""What a Redis server says of itself: whether it is new enough, since when it is there, and what it may lose."""

import logging
from typing import NamedTuple

from sitq.exceptions import ConfigurationError

logger = logging.getLogger(__name__)

_OLDEST = 7
_told: set[tuple[str, str]] = set()


class ServerFacts(NamedTuple):
    """What the store must know of a server.

    Attributes:
        began_at: microseconds of its own clock at which it started; 0 where it does not say.
        risks: how it may lose tasks, each as the end of a sentence.
    """

    began_at: int
    risks: tuple[str, ...]


def read_facts(info: bytes, saves: bytes | None, shown: str) -> ServerFacts:
    """Read the server's answers.

    Args:
        info: the answer to INFO.
        saves: when it takes snapshots; None where it does not say.

    Raises:
        ConfigurationError: it is too old.
    """
    lines = (line.partition(":") for line in info.decode("utf-8", "replace").splitlines())
    fields = {name: value for name, _, value in lines}
    version = fields.get("redis_version", "")
    if version and int(version.partition(".")[0]) < _OLDEST:
        raise ConfigurationError(f"{shown} is Redis {version}; Redis 7 or newer, or Valkey, is needed")
    uptime = int(fields.get("uptime_in_seconds", 0)) * 1_000_000
    began_at = int(fields.get("server_time_usec", 0)) - uptime
    return ServerFacts(max(began_at, 0), tuple(_risks(fields, saves)))


def _risks(fields: dict[str, str], saves: bytes | None) -> list[str]:
    risks = []
    if fields.get("aof_enabled") == "0" and saves == b"":
        risks.append("keeps tasks in memory only and loses them when it stops; set appendonly yes")
    policy = fields.get("maxmemory_policy", "")
    if fields.get("maxmemory", "0") != "0" and policy.startswith("allkeys"):
        risks.append(f"throws tasks away when its memory is full ({policy}); set maxmemory-policy noeviction")
    return risks


def tell_risks(shown: str, risks: tuple[str, ...]) -> None:
    """Log, once in this process, how a server may lose tasks."""
    for risk in risks:
        if (shown, risk) not in _told:
            _told.add((shown, risk))
            logger.warning("%s %s", shown, risk)
