"""The stores, one package or module each; none is imported before it is asked for."""

from importlib import import_module
from os import PathLike, fspath
from typing import NamedTuple, cast

from sitq.backends.base import Backend
from sitq.exceptions import ConfigurationError, ValidationError

DEFAULT_STORE = "sitq.db"


class _Home(NamedTuple):
    """Where the class of a scheme lives, and the extra that brings what it needs."""

    module: str
    name: str
    extra: str


_POSTGRES = _Home("sitq.backends.postgres", "PostgresBackend", "postgres")
_REDIS = _Home("sitq.backends.redis", "RedisBackend", "redis")
_NATS = _Home("sitq.backends.nats", "NATSBackend", "nats")
_HOMES = {
    "postgresql": _POSTGRES,
    "postgres": _POSTGRES,
    "redis": _REDIS,
    "rediss": _REDIS,
    "valkey": _REDIS,
    "valkeys": _REDIS,
    "unix": _REDIS,
    "nats": _NATS,
    "tls": _NATS,
}


def backend_from_url(
    url: str | PathLike[str] | None = None, *, create: bool = True, read_only: bool = False
) -> Backend:
    """Make the unopened backend that a URL or a path names; None names the file `sitq.db` in the current folder.

    Args:
        url: a path, `sqlite:///path` or `:memory:`; `postgresql://…`, `redis://…` or `nats://…` for a server;
            `memory://name` for a store of this process.
        create: make the store if it is missing; without it a missing or older one is refused and never changed.
        read_only: open it for reading only; acting verbs are refused.

    Raises:
        ConfigurationError: the scheme is unknown, or the package that it needs is not installed.
    """
    if url is not None and not isinstance(url, (str, PathLike)):
        raise ValidationError(f"backend must be a Backend, a path or a URL, got {url!r:.60}")
    text = DEFAULT_STORE if url is None else fspath(url)
    scheme, separator, rest = text.partition("://")
    if separator and scheme not in ("sqlite", "memory"):
        return _class_of(scheme)(text, create=create, read_only=read_only)  # type: ignore[call-arg]
    from sitq.backends.sqlite import MemoryBackend, SQLiteBackend

    if scheme == "memory":
        return MemoryBackend(rest)
    return SQLiteBackend(rest.removeprefix("/") if separator else text, create=create, read_only=read_only)


def _class_of(scheme: str) -> type[Backend]:
    home = _HOMES.get(scheme)
    if home is None:
        known = ", ".join(f"{name}://" for name in ("sqlite", "memory", *_HOMES))
        raise ConfigurationError(f"a store's URL begins with one of {known}; got {scheme}://", scheme=scheme)
    try:
        module = import_module(home.module)
    except ModuleNotFoundError as exc:
        if exc.name is None or exc.name.split(".")[0] == "sitq":
            raise
        raise ConfigurationError(
            f"{scheme}:// needs the package {exc.name}; install it with: pip install 'sitq-queue[{home.extra}]'"
        ) from exc
    return cast(type[Backend], getattr(module, home.name))


def as_backend(backend: Backend | str | PathLike[str] | None) -> Backend:
    """Take what a door was given, a backend or what names one."""
    return backend if isinstance(backend, Backend) else backend_from_url(backend)
