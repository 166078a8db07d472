"""Short texts of a call for people: who looks at a task later never unpickles it."""

import functools
from collections.abc import Callable, Mapping
from reprlib import Repr
from typing import Any

from sitq.inputs import TaskId

_LONGEST = 200
_LABEL = 8  # characters of an id that tell neighbours apart
_PLAIN = frozenset({type(None), bool, int, float, str, bytes})
_CONTAINERS = frozenset({tuple, list, dict, set, frozenset})


class _ShortRepr(Repr):
    """Shows plain values shortened, and of all else only the type: the repr of a data frame takes milliseconds."""

    def repr_instance(self, x: Any, level: int) -> str:
        if isinstance(x, TaskId):
            return f"task {str(x)[-_LABEL:]}"
        return f"<{type(x).__qualname__}>"


_repr = _ShortRepr()
_repr.maxstring = _repr.maxother = 60
_repr.maxlevel = 2


def preview_arguments(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str | None:
    """Write the arguments as they would stand in the call, at most 200 characters; None when there are none."""
    if not args and not kwargs:
        return None
    parts = [_shorten(value) for value in args]
    parts += [f"{name}={_shorten(value)}" for name, value in kwargs.items()]
    text = ", ".join(parts).encode("utf-8", "backslashreplace").decode()  # no store takes lone surrogates
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _shorten(value: Any) -> str:
    kind = type(value)
    try:
        if kind in _PLAIN:
            return repr(value) if kind not in (str, bytes) or len(value) <= 60 else _repr.repr(value)
        return _repr.repr(value) if kind in _CONTAINERS or isinstance(value, TaskId) else f"<{kind.__qualname__}>"
    except Exception:  # an integer of thousands of digits, or a class of the same name as one that reprlib knows
        return f"<{kind.__qualname__}>"


def function_name(function: Callable[..., Any]) -> str:
    """Name a function for people: with its module, unless that is the script or notebook itself."""
    while isinstance(function, functools.partial):
        function = function.func
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    module = getattr(function, "__module__", None)
    return name if module in (None, "__main__") else f"{module}.{name}"
