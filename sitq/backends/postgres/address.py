"""Where a PostgreSQL store is: a server, a database and a schema, told by one URL."""

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

from sitq.backends.hosts import host_of, is_here
from sitq.exceptions import ValidationError

DEFAULT_SCHEMA = "sitq"

_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,47}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A store's place, and how long to wait for its server.

    Attributes:
        dsn: what the driver is given; it may hold a password.
        shown: the same for people, without a password.
        schema: the schema that holds the tables.
        remote: some host is another machine.
        command_timeout: seconds that the server may take to answer.
        reconnect_timeout: seconds in which a lost server is looked for.
        read_only: the server is to refuse changes.
    """

    dsn: str
    shown: str
    schema: str
    remote: bool
    command_timeout: float = 30.0
    reconnect_timeout: float = 5.0
    read_only: bool = False

    def sql(self, statement: str) -> str:
        """Put the schema's name into a statement, which is written for the schema `sitq`."""
        return statement.replace("sitq.", f'"{self.schema}".')

    @property
    def channel(self) -> str:
        """Where changes of this store are told."""
        return self.sql("sitq.wake")


def parse(url: str, *, command_timeout: float, reconnect_timeout: float, read_only: bool) -> Address:
    """Read a URL such as `postgresql://user:password@host:5432/database?schema=sitq`.

    Raises:
        ValidationError: it is not of this kind.
    """
    parts = _split(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    schema = options.pop("schema", DEFAULT_SCHEMA)
    options.setdefault("application_name", "sitq")
    if not _SCHEMA.fullmatch(schema) or schema.startswith("pg_"):
        raise ValidationError(
            f"schema must be up to 48 of a-z, 0-9 and _, and begin with none of 0-9 and pg_, got {schema!r}"
        )
    return Address(
        dsn=urlunsplit(parts._replace(query=urlencode(options))),
        shown=_shown(parts, schema),
        schema=schema,
        remote=not all(map(is_here, _hosts(parts, options))),
        command_timeout=command_timeout,
        reconnect_timeout=reconnect_timeout,
        read_only=read_only,
    )


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = SplitResult("", "", "", "", "")
    if parts.scheme not in ("postgresql", "postgres"):
        # The text itself is not shown: it may hold a password.
        raise ValidationError(
            f"the URL of a PostgreSQL store is like postgresql://user@host/database, got one of {parts.scheme!r}"
        )
    if "@" in parts.path or parts.fragment or any("@" in part.partition("=")[0] for part in parts.query.split("&")):
        raise ValidationError("user and password must have /, ?, # and @ percent-encoded, got some as they are")
    return parts


def _shown(parts: SplitResult, schema: str) -> str:
    query = "" if schema == DEFAULT_SCHEMA else f"schema={schema}"
    user = parts.netloc.rpartition("@")[0].partition(":")[0]
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, f"{user}@{place}" if user else place, parts.path, query, ""))


def _hosts(parts: SplitResult, options: dict[str, str]) -> list[str]:
    places = options.get("host") or parts.netloc.rpartition("@")[2]
    return [host_of(place) for place in places.split(",")]
