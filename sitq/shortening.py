"""Short texts of values for people: plain ones and containers of such are shown, of all else the type is told."""

from reprlib import Repr
from typing import Any

from sitq.inputs import TaskId

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


def shorten(value: Any) -> str:
    """Write a value on one line, whatever it is and at little cost."""
    kind = type(value)
    try:
        if kind in _PLAIN:
            return repr(value) if kind not in (str, bytes) or len(value) <= 60 else _repr.repr(value)
        return _repr.repr(value) if kind in _CONTAINERS or isinstance(value, TaskId) else f"<{kind.__qualname__}>"
    except Exception:  # an integer of thousands of digits, or a class of the same name as one that reprlib knows
        return f"<{kind.__qualname__}>"
