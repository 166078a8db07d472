"""Where a Redis store is: a server and the prefix of its keys, read from a URL whose password is never shown."""

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from redis.asyncio import ConnectionPool

from sitq.exceptions import ConfigurationError, ValidationError

DEFAULT_PREFIX = "sitq"

_SCHEMES = {"redis": "redis", "rediss": "rediss", "valkey": "redis", "valkeys": "rediss", "unix": "unix"}
_LOCAL_HOSTS = re.compile(r"localhost|127\..*|::1")
_LIKE = "like redis://localhost:6379/0?prefix=sitq"


@dataclass(frozen=True, slots=True)
class Address:
    """A store's place.

    Attributes:
        url: for the driver, password included.
        prefix: what tells the store's keys from those of others on the server.
        shown: the URL as people may see it.
        remote: the server is on another machine.
    """

    url: str = field(repr=False)
    prefix: str
    shown: str
    remote: bool

    @property
    def base(self) -> str:
        """What all keys begin with. The braces keep them in one slot of a cluster."""
        return f"{{{self.prefix}}}:"


def parse_address(url: str, prefix: str | None) -> Address:
    """Read a URL.

    Args:
        prefix: takes the place of the URL's own.

    Raises:
        ValidationError: the prefix cannot be right.
        ConfigurationError: the URL cannot be right.
    """
    parts = urlsplit(url)
    shown = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    scheme = _SCHEMES.get(parts.scheme)
    if scheme is None:
        raise ConfigurationError(f"a Redis store's URL is {_LIKE}; got {shown!r}")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    chosen = options.pop("prefix", DEFAULT_PREFIX) if prefix is None else prefix
    options.pop("prefix", None)
    if not re.fullmatch(r"[^{}\s]+", chosen):
        raise ValidationError(f"prefix must be text without braces and spaces, got {chosen!r}")
    driver_url = urlunsplit(parts._replace(scheme=scheme, query=urlencode(options)))
    _check(driver_url, shown)
    return Address(driver_url, chosen, _without_secrets(shown), _is_remote(scheme, parts.hostname))


def _check(driver_url: str, shown: str) -> None:
    try:
        ConnectionPool.from_url(driver_url)
    except ValueError as exc:
        raise ConfigurationError(f"a Redis store's URL is {_LIKE}; got {_without_secrets(shown)!r} ({exc})") from None


def _without_secrets(shown: str) -> str:
    return re.sub(r"(?i)([?&]\w*password=)[^&]*", r"\1…", shown)


def _is_remote(scheme: str, host: str | None) -> bool:
    return scheme != "unix" and not _LOCAL_HOSTS.fullmatch(host or "localhost")
