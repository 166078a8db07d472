"""Blocking event loops inside a cell, for code that insists on them; sitq itself never needs it."""

import asyncio
import sys
from importlib import import_module, metadata

from sitq.exceptions import ConfigurationError

_INSTALL = 'pip install "nest-asyncio2>=1.7.4"'
_SAFE_FORK = (1, 7, 4)
# From here on ipykernel keeps a context around each cell. On Python 3.11 and newer a message that comes during a wait
# nested by plain nest_asyncio finds it entered, and the next queued cell is lost without a word.
_KERNEL_WITH_CONTEXTS = (7, 1)


def allow_nested() -> str:
    """Let `asyncio.run` and `run_until_complete` work inside a cell, whose loop is running already.

    It patches asyncio for the whole process and cannot be undone, and awaiting becomes slower by a quarter or more:
    prefer `await`. It uses nest_asyncio2, or nest_asyncio where that loses no cells. Calling it again is harmless.

    Returns:
        What serves now, such as "nest_asyncio2 1.7.4".

    Raises:
        ConfigurationError: neither package is installed, or the one that is would lose cells in this kernel.
    """
    if (trouble := nesting_trouble()) is not None:
        raise ConfigurationError(trouble)
    fork, plain = _version("nest-asyncio2"), _version("nest-asyncio")
    if fork is not None and fork >= _SAFE_FORK:
        return _apply("nest_asyncio2", fork)
    if plain is None:
        found = "none" if fork is None else f"nest-asyncio2 {_dotted(fork)}"
        raise ConfigurationError(f"nested loops need nest-asyncio2 1.7.4 or newer, found {found}; {_INSTALL}")
    if _loses_cells():
        raise ConfigurationError(
            f"nest-asyncio {_dotted(plain)} silently loses cells in {_kernel()}; {_INSTALL} takes its place"
        )
    return _apply("nest_asyncio", plain)


def nesting_trouble() -> str | None:
    """Say what is wrong if somebody has applied plain nest_asyncio where it loses cells; None if nothing is."""
    if asyncio.run.__module__ == "nest_asyncio" and _loses_cells():
        return (
            f"nest_asyncio is applied and silently loses cells in {_kernel()}; restart the kernel without it, "
            "sitq.notebook.allow_nested() takes its place"
        )
    return None


def _loses_cells() -> bool:
    kernel = _version("ipykernel") if "ipykernel" in sys.modules else None
    return sys.version_info >= (3, 11) and kernel is not None and kernel >= _KERNEL_WITH_CONTEXTS


def _apply(module: str, version: tuple[int, ...]) -> str:
    import_module(module).apply()
    return f"{module} {_dotted(version)}"


def _kernel() -> str:
    return f"ipykernel {_dotted(_version('ipykernel') or ())} on Python {_dotted(sys.version_info[:2])}"


def _version(distribution: str) -> tuple[int, ...] | None:
    try:
        text = metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
    return tuple(int(part) for part in text.split(".") if part.isdecimal())


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
