"""Finds the innermost object that keeps a call from being pickled, and what can be pickled but is no use elsewhere."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from sitq.serialization.anatomy import WEIGHTLESS, Carried, parts
from sitq.serialization.pickling import OpenFileError, error_line, refuse_open_files, weigh

_SEARCH_SECONDS = 2.0
_SEARCH_DEPTH = 50


class Problem(NamedTuple):
    """The innermost object that cannot be pickled: the path to it, and what pickling it raised, on one line."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.reason}: {self.path}"


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


def open_files(roots: Iterable[Carried]) -> Iterator[str]:
    """Warn of open files, which cloudpickle sends by their content."""
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
            if type(part.value) in WEIGHTLESS:
                continue
            known = id(part.value) in self._seen
            if not self._fails(part.value):
                continue
            innermost = False
            step = Carried(part.kind, culprit.path + part.path, part.value)
            if not known and (found := self._descend(step, depth + 1)):
                return found
        return culprit if innermost else None
