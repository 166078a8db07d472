"""Functions by the path that imports them, "module:qualname"."""

import importlib
import operator
from collections.abc import Callable
from typing import Any

from sitq.exceptions import SerializationError


def import_path(func: Callable[..., Any]) -> str:
    """Name a function as "module:qualname".

    Raises:
        SerializationError: importing that name would not give the function.
    """
    module, name = getattr(func, "__module__", None), getattr(func, "__qualname__", None)
    if not module or not name or "<" in name:
        raise SerializationError(f"a function to be sent by name must stand at the top of a module, got {func!r}")
    if module == "__main__":
        raise SerializationError(f"a worker cannot import {name} from __main__; move it into a module")
    path = f"{module}:{name}"
    if import_function(path) != func:
        raise SerializationError(f"{path} is another object than the function given, got {func!r}")
    return path


def import_function(path: str) -> Callable[..., Any]:
    """Import the function that "module:qualname" names.

    Raises:
        SerializationError: the module cannot be imported, or has no such function.
    """
    module, _, name = path.partition(":")
    try:
        found = operator.attrgetter(name)(importlib.import_module(module))
    except Exception as exc:  # importing runs the module, so anything may come
        raise SerializationError(f"cannot import function {path}, {type(exc).__name__}: {exc}") from exc
    if not callable(found):
        raise SerializationError(f"{path} must be a function, got {type(found).__qualname__}")
    return found  # type: ignore[no-any-return]
