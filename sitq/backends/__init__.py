"""The stores, one package or module each; none is imported before it is asked for."""

from os import PathLike, fspath

from sitq.backends.base import Backend
from sitq.exceptions import ConfigurationError, ValidationError

DEFAULT_STORE = "sitq.db"


def backend_from_url(
    url: str | PathLike[str] | None = None, *, create: bool = True, read_only: bool = False
) -> Backend:
    """Make the unopened backend that a URL or a path names; None names the file `sitq.db` in the current folder.

    Args:
        url: a path, `sqlite:///path` or `:memory:`.
        create: make the store if it is missing; without it a missing or older one is refused and never changed.
        read_only: open it for reading only; acting verbs are refused.

    Raises:
        ConfigurationError: the scheme is unknown.
    """
    if url is not None and not isinstance(url, (str, PathLike)):
        raise ValidationError(f"backend must be a Backend, a path or a URL, got {url!r:.60}")
    text = DEFAULT_STORE if url is None else fspath(url)
    scheme, separator, rest = text.partition("://")
    if separator and scheme != "sqlite":
        raise ConfigurationError(f"backend must be a path or sqlite:///path, got {text!r}", url=text)
    from sitq.backends.sqlite import SQLiteBackend

    return SQLiteBackend(rest.removeprefix("/") if separator else text, create=create, read_only=read_only)


def as_backend(backend: Backend | str | PathLike[str] | None) -> Backend:
    """Take what a door was given, a backend or what names one."""
    return backend if isinstance(backend, Backend) else backend_from_url(backend)
