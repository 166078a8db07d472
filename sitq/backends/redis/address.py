"""Where a Redis store is: a server and the prefix of its keys, read from a URL whose password is never shown."""

import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

from redis.asyncio import ConnectionPool

from sitq.backends.hosts import is_here
from sitq.exceptions import ConfigurationError, ValidationError

DEFAULT_PREFIX = "sitq"

_SCHEMES = {"redis": "redis", "rediss": "rediss", "valkey": "redis", "valkeys": "rediss", "unix": "unix"}
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


def parse(url: str, prefix: str | None) -> Address:
    """Read a URL.

    Args:
        prefix: takes the place of the URL's own.

    Raises:
        ValidationError: the prefix cannot be right.
        ConfigurationError: the URL cannot be right.
    """
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    named = options.pop("prefix", DEFAULT_PREFIX)
    address = Address(
        url=urlunsplit(parts._replace(scheme=_SCHEMES.get(parts.scheme, ""), query=urlencode(options))),
        prefix=named if prefix is None else prefix,
        shown=_shown(parts, options),
        remote=parts.scheme != "unix" and not is_here(parts.hostname or ""),
    )
    _check(address, parts.scheme)
    return address


def _shown(parts: SplitResult, options: dict[str, str]) -> str:
    safe = {name: "***" if "password" in name else value for name, value in options.items()}
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=urlencode(safe, safe="*")))


def _check(address: Address, scheme: str) -> None:
    if scheme not in _SCHEMES:
        raise ConfigurationError(f"a Redis store's URL is {_LIKE}; got {address.shown!r}")
    if not re.fullmatch(r"[^{}\s]+", address.prefix):
        raise ValidationError(f"prefix must be text without braces and spaces, got {address.prefix!r}")
    try:
        if scheme != "unix" and not re.fullmatch(r"/?\d*", urlsplit(address.url).path):
            raise ValueError("the database is a number")
        pool = ConnectionPool.from_url(address.url)
        pool.connection_class(**pool.connection_kwargs)  # which connects later, but knows its options
    except (TypeError, ValueError) as exc:
        raise ConfigurationError(f"a Redis store's URL is {_LIKE}; got {address.shown!r} ({exc})") from None
