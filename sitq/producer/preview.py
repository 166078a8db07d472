"""Short texts of a call for people: who looks at a task later never unpickles it."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

from sitq.shortening import shorten

_LONGEST = 200


def preview_arguments(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str | None:
    """Write the arguments as they would stand in the call, at most 200 characters; None when there are none."""
    if not args and not kwargs:
        return None
    parts = [shorten(value) for value in args]
    parts += [f"{name}={shorten(value)}" for name, value in kwargs.items()]
    text = ", ".join(parts)
    if not text.isascii():
        text = text.encode("utf-8", "backslashreplace").decode()  # no store takes lone surrogates
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def function_name(function: Callable[..., Any]) -> str:
    """Name a function for people: with its module, unless that is the script or notebook itself."""
    while isinstance(function, functools.partial):
        function = function.func
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    module = getattr(function, "__module__", None)
    return name if module in (None, "__main__") else f"{module}.{name}"
