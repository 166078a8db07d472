"""Plain data as JSON: what any version of Python, or another language, can read."""

import json
import math
import types
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from functools import reduce
from typing import Any

from sitq.exceptions import SerializationError, ValidationError
from sitq.import_paths import import_function, import_path
from sitq.inputs import TaskId, is_noting, note, value_of
from sitq.retry import Retry

_DEPTH = 100
_UNCHANGED = frozenset({types.NoneType, bool, int, str})
_CONTAINERS = frozenset({dict, list, tuple})


def to_json(value: Any) -> bytes:
    """Write JSON.

    Raises:
        SerializationError: it cannot be written; `json_fault` finds most reasons before.
    """
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")
    except ValueError as exc:  # an integer of thousands of digits
        raise SerializationError(f"cannot write JSON: {exc}") from exc


def from_json(data: bytes) -> Any:
    """Read JSON.

    Raises:
        SerializationError: it is none.
    """
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise SerializationError(f"cannot read JSON: {exc}") from exc


def json_fault(value: Any, path: str, depth: int = _DEPTH) -> str | None:
    """Tell the first part that JSON would not bring back as it is; a tuple may come back as a list."""
    kind = type(value)
    if kind in _UNCHANGED or (is_noting() and isinstance(value, TaskId)):
        return None
    if kind is float:
        return None if math.isfinite(value) else f"{path} is {value}, which JSON cannot hold; pass a finite number"
    if kind not in _CONTAINERS:
        return f"{path} is of type {kind.__qualname__}, which JSON would not bring back; pass plain data"
    if depth == 0:
        return f"{path} is more than {_DEPTH} levels deep; pass flatter data"
    if kind is not dict:
        return _first(json_fault(item, f"{path}[{position}]", depth - 1) for position, item in enumerate(value))
    for key in value:
        if type(key) is not str:
            return f"{path} has a key of type {type(key).__qualname__}, which JSON would not bring back; use str keys"
    return _first(json_fault(item, f"{path}[{key!r}]", depth - 1) for key, item in value.items())


Place = list[str | int]  # keys and positions that lead to it


def note_ids(value: Any) -> list[Place]:
    """Tell where in lists and dicts ids stand for the values of their tasks."""
    if not is_noting():
        return []
    places = list(_places(value, []))
    for place in places:
        note(_at(value, place))
    return places


def _places(value: Any, place: Place) -> Iterator[Place]:
    if isinstance(value, TaskId):
        yield place
    elif isinstance(value, (list, tuple)):
        for position, item in enumerate(value):
            yield from _places(item, [*place, position])
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _places(item, [*place, key])


def fill_ids(value: Any, places: Iterable[Place]) -> None:
    """Put the values of tasks where their ids stand."""
    for *way, last in places:
        holder = _at(value, way)
        holder[last] = value_of(holder[last])


def _at(value: Any, place: Place) -> Any:
    return reduce(lambda held, key: held[key], place, value)


def _first(faults: Iterable[str | None]) -> str | None:
    return next(filter(None, faults), None)


def policy_as_json(retry: Retry) -> dict[str, Any]:
    """Write a retry policy as plain data, its exception types by import path."""
    return asdict(retry) | {name: [import_path(kind) for kind in getattr(retry, name)] for name in _KINDS}


def policy_from_json(fields: dict[str, Any]) -> Retry:
    """Make the policy again.

    Raises:
        SerializationError: the fields are not those of a policy, or a type is not to be found.
    """
    try:
        kinds: dict[str, Any] = {name: tuple(map(import_function, fields[name])) for name in _KINDS}
        return Retry(**fields | kinds)
    except (TypeError, KeyError, ValidationError) as exc:
        raise SerializationError(f"cannot read the retry policy of the payload: {exc}") from exc


_KINDS = ("on", "give_up_on")
