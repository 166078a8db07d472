"""Where a NATS store is: the servers, who asks, and the names of its stream and its subjects."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote

from sitq.backends.hosts import host_of, is_here
from sitq.exceptions import ConfigurationError

_PREFIX = re.compile(r"[A-Za-z0-9_-]{1,64}")
_OPTIONS = ("prefix", "replicas")
_PLAIN = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Address:
    """A store's URL, taken apart.

    Attributes:
        servers: URLs of the cluster's servers, credentials included.
        shown: the URL without its password, for people.
        prefix: name of the stream, and first word of its subjects.
        replicas: how many servers of a cluster keep the stream.
        remote: some server is another machine.
    """

    servers: tuple[str, ...]
    shown: str
    prefix: str
    replicas: int
    remote: bool


def parse(url: str) -> Address:
    """Take a URL apart.

    Raises:
        ConfigurationError: it has no host, or an option that is unknown or cannot be right.
    """
    scheme, _, rest = url.partition("://")
    place, _, query = rest.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    shown = f"{scheme}://{_without_password(place)}"
    for name in options:
        if name not in _OPTIONS:
            raise ConfigurationError(f"the options of a NATS URL are prefix and replicas, got {name!r} in {shown}")
    hosts = [host.strip().rstrip("/") for host in place.split(",")]
    if not all(host.rpartition("@")[2] for host in hosts):
        raise ConfigurationError(f"a NATS URL names a server such as nats://localhost:4222, got {shown}")
    prefix = options.get("prefix", "sitq")
    if not _PREFIX.fullmatch(prefix):
        raise ConfigurationError(f"prefix must be up to 64 letters, digits, - or _, got {prefix!r}")
    shown = f"{shown}?prefix={prefix}" if "prefix" in options else shown
    replicas = _replicas(options.get("replicas", "1"))
    remote = not all(is_here(host_of(host)) for host in hosts)
    return Address(tuple(f"{scheme}://{host}" for host in hosts), shown, prefix, replicas, remote)


def _replicas(text: str) -> int:
    if text not in ("1", "2", "3", "4", "5"):
        raise ConfigurationError(f"replicas must be 1 to 5, got {text!r}")
    return int(text)


def _without_password(place: str) -> str:
    return ",".join(_hide(host) for host in place.split(","))


def _hide(host: str) -> str:
    """Hide a password, and a token, which stands where a user would."""
    user, at, name = host.rpartition("@")
    if not at:
        return host
    who, colon, _ = user.partition(":")
    return f"{who}:***@{name}" if colon else f"***@{name}"


def text(word: str) -> str:
    """Read what `token` wrote."""
    return unquote(word) if word != "%" else ""


def token(given: str) -> str:
    """Write any text as one word of a subject, no two texts alike."""
    if (given.isascii() and given.isalnum()) or _PLAIN.fullmatch(given):
        return given
    return quote(given, safe="").replace(".", "%2E").replace("~", "%7E") or "%"
