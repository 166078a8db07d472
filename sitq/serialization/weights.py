"""Weighs what a call carries, going into what makes it large."""

import time
import types
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sitq.serialization.anatomy import WEIGHTLESS, Carried, parts, short_name
from sitq.serialization.pickling import Weight, weigh

_SEARCH_SECONDS = 2.0
_SEARCH_DEPTH = 50
_FOLLOWED_BYTES = 64 * 1024
_BLAMED_PARTS = 3
_BLAMED_KINDS = frozenset({"global", "closure", "default", "argument", "result"})
_UNLISTED_KINDS = frozenset({"function", "state"})


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that a call carries.

    Attributes:
        kind: "global", "closure" or "default" of a function, "argument", "attribute", "item" or "result".
        path: how the call reaches it, as in `function train -> global 'frame'`.
        size: bytes when it is pickled alone, with all that it carries in turn; None when it cannot be pickled.
    """

    kind: str
    path: str
    type: str
    size: int | None

    def __str__(self) -> str:
        size = "unpicklable" if self.size is None else format_size(self.size)
        return f"{size:>12}  {self.type:<16}  {self.path}"


def carried_parts(roots: Iterable[Carried]) -> list[Part]:
    """List what is carried, the unpicklable first, then the largest."""
    scale = _Scale()
    found = [part for root in roots for part in scale.parts(root)]
    return sorted(found, key=lambda part: (part.size is not None, -(part.size or 0)))


def total_size(roots: Iterable[Carried]) -> int:
    """Add up the bytes of what can be pickled."""
    return sum(weight.size for root in roots if (weight := weight_of(root.value)))


def largest(roots: Sequence[Carried]) -> str:
    """Name the few captured variables and arguments that weigh most, with their sizes, on one line."""
    heavy = [
        f"{part.path} ({part.type}, {format_size(part.size)})"
        for part in carried_parts(roots)
        if part.size is not None and part.kind in _BLAMED_KINDS and part.type != "function"  # but what it captures
    ]
    return ", ".join(heavy[:_BLAMED_PARTS]) or roots[0].path


class _Scale:
    """Weighs what is carried, going into code that travels by value and following what makes a large object large."""

    def __init__(self) -> None:
        self._deadline = time.monotonic() + _SEARCH_SECONDS
        self._entered: dict[int, Any] = {}

    def parts(self, carried: Carried, depth: int = 0) -> Iterator[Part]:
        weight = weight_of(carried.value)
        if carried.kind not in _UNLISTED_KINDS:
            size = weight.size if weight else None
            yield Part(carried.kind, carried.path, short_name(type(carried.value)), size)
        if id(carried.value) in self._entered or depth > _SEARCH_DEPTH or time.monotonic() > self._deadline:
            return
        self._entered[id(carried.value)] = carried.value
        for part in self._within(carried, weight):
            yield from self.parts(Carried(part.kind, carried.path + part.path, part.value), depth + 1)

    def _within(self, carried: Carried, weight: Weight | None) -> Iterable[Carried]:
        if isinstance(carried.value, types.FunctionType | type):
            return parts(carried.value) if weight is None or weight.carries_code else ()
        if carried.kind == "function":
            return parts(carried.value)
        return self._heaviest(carried, weight.size) if weight and weight.size > _FOLLOWED_BYTES else ()

    def _heaviest(self, carried: Carried, size: int) -> Iterator[Carried]:
        """Yield the part that makes up most of an object, if one does."""
        for part in parts(carried.value):
            if type(part.value) in WEIGHTLESS or (part.kind == "state" and not isinstance(part.value, type)):
                continue
            if time.monotonic() > self._deadline:
                return
            weight = weight_of(part.value)
            if weight and weight.size > size / 2:
                yield part
                return


def weight_of(value: Any) -> Weight | None:
    """Weigh a value as it would be pickled alone; None when it cannot be."""
    try:
        return weigh(value)
    except Exception:  # reducers of any class may run, so anything may come
        return None


def format_size(size: int) -> str:
    """Write bytes for people."""
    if size < 1024:
        return f"{size} B"
    amount = size / 1024
    for unit in ("KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"
