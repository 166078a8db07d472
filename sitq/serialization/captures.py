"""What a call carries: which parts of it weigh most, and which one cannot be pickled."""

import functools
import sys
import time
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sitq.serialization.anatomy import Carried, parts, short_name
from sitq.serialization.pickling import OpenFileError, Weight, error_line, refuse_open_files, weigh

_SEARCH_SECONDS = 2.0
_SEARCH_DEPTH = 50
_FOLLOWED_BYTES = 64 * 1024
_SHOWN_PARTS = 10
_BLAMED_PARTS = 3
_BLAMED_KINDS = frozenset({"global", "closure", "default", "argument", "result"})
_UNLISTED_KINDS = frozenset({"function", "state"})
_WEIGHTLESS = frozenset({types.NoneType, bool, int, float})


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


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Explanation:
    """What a call would carry, and what keeps it from being carried.

    Attributes:
        function: its name, as the paths of the parts have it.
        module: where a worker imports the function from; None when its code travels by value.
        python: "major.minor" that the call needs because it carries code by value; None means any.
        size: bytes of the pickled function and arguments; None when they cannot be pickled.
        parts: what it carries, the unpicklable first, then the largest.
        problem: path to the innermost object that cannot be pickled; None when all can.
        reason: what pickling that object raised.
        warnings: what can be pickled but is likely to surprise.
    """

    function: str
    module: str | None
    python: str | None
    size: int | None
    parts: tuple[Part, ...]
    problem: str | None
    reason: str | None
    warnings: tuple[str, ...]

    def __repr__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        size = "cannot be pickled" if self.size is None else format_size(self.size)
        origin = f"imported from {self.module}" if self.module else "sent by value"
        python = f"Python {self.python} only" if self.python else "any Python"
        yield f"{self.function}: {size}; {origin}; runs on {python}"
        yield from map(str, self.parts[:_SHOWN_PARTS])
        if hidden := len(self.parts[_SHOWN_PARTS:]):
            yield f"{'':>12}  and {hidden} smaller ones"
        if self.problem:
            yield f"problem: {self.reason}: {self.problem}"
        yield from (f"warning: {warning}" for warning in self.warnings)


class Problem(NamedTuple):
    """The innermost object that cannot be pickled: the path to it, and what pickling it raised, on one line."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.reason}: {self.path}"


def explain(func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Explanation:
    """Tell what a call would carry if it were enqueued now; what cannot be pickled is reported, not raised."""
    roots = call_roots(func, args, kwargs)
    function, arguments = _weight(func), _weight((args, kwargs))
    by_value = function is None or function.carries_code
    carries_code = by_value or (arguments is not None and arguments.carries_code)
    problem = find_problem(roots)
    return Explanation(
        function=_name(func),
        module=None if by_value else _module(func),
        python=f"{sys.version_info.major}.{sys.version_info.minor}" if carries_code else None,
        size=function.size + arguments.size if function and arguments else None,
        parts=tuple(carried_parts(roots)),
        problem=problem.path if problem else None,
        reason=problem.reason if problem else None,
        warnings=tuple(_open_files(roots)),
    )


def call_roots(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Carried]:
    """Name what a call is made of; the paths begin with these names."""
    return [
        Carried("function", f"function {_name(func)}", func),
        *(Carried("argument", f"argument {position}", value) for position, value in enumerate(args)),
        *(Carried("argument", f"keyword {name!r}", value) for name, value in kwargs.items()),
    ]


def _name(func: Any) -> str:
    if isinstance(func, functools.partial):
        return f"partial({_name(func.func)})"
    return short_name(func) if hasattr(func, "__qualname__") else f"{short_name(type(func))}()"


def _module(func: Any) -> str:
    if isinstance(func, functools.partial):
        return _module(func.func)
    return getattr(func, "__module__", None) or "builtins"


def locate(value: Any, path: str) -> str | None:
    """Find the innermost object that cannot be pickled, and tell the path to it; None when all can."""
    problem = find_problem([Carried("argument", path, value)])
    return problem.path if problem else None


def find_problem(roots: Iterable[Carried]) -> Problem | None:
    """Find the innermost object that cannot be pickled, and why."""
    for root in roots:
        if found := _Search(_pickling_error).find(root):
            error = _pickling_error(found.value)
            return Problem(found.path, pickling_fault(error) if error else "cannot be pickled just now")
    return None


def pickling_fault(error: Exception) -> str:
    """Say on one line why pickling failed, in the words of the error if they speak of pickling."""
    line = error_line(error)
    words = line.partition(": ")[2].rstrip(".")
    return words if "pickle" in words.lower() else f"cannot pickle, {line}"


def _pickling_error(value: Any) -> Exception | None:
    try:
        weigh(value)
    except Exception as exc:  # reducers of any class may run, so anything may come
        return exc
    return None


def _open_file_error(value: Any) -> Exception | None:
    try:
        refuse_open_files(value)
    except OpenFileError as exc:
        return exc
    except Exception:  # cannot be pickled at all, which is reported elsewhere
        return None
    return None


def _open_files(roots: Iterable[Carried]) -> Iterator[str]:
    for root in roots:
        if found := _Search(_open_file_error).find(root):
            yield f"{found.path} is an open file: its whole content would travel, not the handle; pass its path"


class _Search:
    """Follows an error down to the innermost object that causes it.

    Args:
        error_of: pickles an object alone and tells the error.
    """

    def __init__(self, error_of: Callable[[Any], Exception | None]) -> None:
        self._error_of = error_of
        self._deadline = time.monotonic() + _SEARCH_SECONDS
        # By id, and with the object itself: a part made for the occasion would free its id for the next one.
        self._seen: dict[int, tuple[Any, bool]] = {}

    def find(self, root: Carried) -> Carried | None:
        """Tell the culprit; the root itself when nothing within it is to blame; None when there is no error."""
        error = self._error_of(root.value)
        if error is None:
            return None
        if isinstance(error.__cause__, RecursionError):  # its depth is to blame, and no part of it
            return root
        self._seen[id(root.value)] = (root.value, True)
        return self._descend(root, 0) or root

    def _fails(self, value: Any) -> bool:
        if id(value) not in self._seen:
            self._seen[id(value)] = (value, self._error_of(value) is not None)
        return self._seen[id(value)][1]

    def _descend(self, culprit: Carried, depth: int) -> Carried | None:
        """Find the culprit within a part that fails; None when it fails only by what leads back to a part above."""
        innermost = True
        for part in parts(culprit.value):
            if depth > _SEARCH_DEPTH or time.monotonic() > self._deadline:
                return culprit
            if type(part.value) in _WEIGHTLESS:
                continue
            known = id(part.value) in self._seen
            if not self._fails(part.value):
                continue
            innermost = False
            step = Carried(part.kind, culprit.path + part.path, part.value)
            if not known and (found := self._descend(step, depth + 1)):
                return found
        return culprit if innermost else None


def carried_parts(roots: Iterable[Carried]) -> list[Part]:
    """List what is carried, the unpicklable first, then the largest."""
    scale = _Scale()
    found = [part for root in roots for part in scale.parts(root)]
    return sorted(found, key=lambda part: (part.size is not None, -(part.size or 0)))


def total_size(roots: Iterable[Carried]) -> int:
    """Add up the bytes of what can be pickled."""
    return sum(weight.size for root in roots if (weight := _weight(root.value)))


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
        weight = _weight(carried.value)
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
            if type(part.value) in _WEIGHTLESS or (part.kind == "state" and not isinstance(part.value, type)):
                continue
            if time.monotonic() > self._deadline:
                return
            weight = _weight(part.value)
            if weight and weight.size > size / 2:
                yield part
                return


def _weight(value: Any) -> Weight | None:
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
