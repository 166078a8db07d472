"""Pickles and unpickles, by plain pickle where it does as well as cloudpickle, and weighs without keeping."""

import io
import pickle
import sys
import types
from collections import ChainMap
from collections.abc import Callable
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

import cloudpickle

from sitq.exceptions import SerializationError, TaskQueueError
from sitq.inputs import noting

PICKLE_PROTOCOL = 5

# Whatever cloudpickle adds to pickle stands in a pickle with the name of its module, and what dill adds with dill's.
_CLOUDPICKLE: bytes = cloudpickle.Pickler.__module__.encode()
_DILL = b"dill._dill"
# Of cloudpickle's additions, those that rebuild code and classes, and those that only name what can be imported.
_CODE_WORDS = (b"CodeType", b"_make_function", b"_make_skeleton", b"_make_typevar", b"dynamic_subimport")
_NAME_WORDS = (b"_builtin_type", b"subimport", b"_make_dict_")
_WORDS = (_CLOUDPICKLE, _DILL, *_CODE_WORDS, *_NAME_WORDS)

_NO_FILE = "<dynamic-code>"

_SCALARS = frozenset({types.NoneType, bool, int, float, str, bytes})
_CONTAINERS = frozenset({dict, list, tuple})
_FUNCTIONS = frozenset({types.FunctionType, types.BuiltinFunctionType})
_PLAIN_ITEMS = 32
_PLAIN_DEPTH = 3


class FileFullError(Exception):
    """A pickle grew larger than is allowed."""


class OpenFileError(Exception):
    """A pickle would hold the content of a file that is open for reading."""


class Pickled(NamedTuple):
    """A pickle, and whether it holds code by value."""

    data: bytes
    carries_code: bool


class Weight(NamedTuple):
    """The size of a pickle in bytes, and whether it holds code by value."""

    size: int
    carries_code: bool


def carries_code(pickled: bytes) -> bool:
    """Tell whether a pickle holds code by value, which only the minor version of Python that made it can load.

    When in doubt it does: to load code of another version crashes the process.
    """
    if _CLOUDPICKLE not in pickled:
        return _DILL in pickled
    return _found(_CODE_WORDS, pickled) or not _found(_NAME_WORDS, pickled) or _DILL in pickled


def _found(words: tuple[bytes, ...], pickled: bytes) -> bool:
    return any(word in pickled for word in words)


def pickle_function(func: Callable[..., Any], max_bytes: int) -> Pickled:
    """Pickle a function by name if it can be imported, else with its code and all that it captures.

    Ids of tasks that it captures stay ids.
    """
    if _is_importable(func):
        return _pickle_by_name(func.__module__, func.__qualname__)
    with noting(None):
        return pickle_any(func, max_bytes)


@lru_cache(256)
def _pickle_by_name(module: str, name: str) -> Pickled:
    """Pickle what can be imported: of that a pickle holds nothing but these two words, so it is made once."""
    return Pickled(pickle.dumps(getattr(sys.modules[module], name), PICKLE_PROTOCOL), False)


def _is_importable(func: Callable[..., Any]) -> bool:
    """Tell, for functions at the top of a module, whether a worker can import them by name."""
    if type(func) not in _FUNCTIONS or cloudpickle.list_registry_pickle_by_value():
        return False
    module = func.__module__
    return module != "__main__" and getattr(sys.modules.get(module), func.__qualname__, None) is func


def pickle_value(value: Any, max_bytes: int) -> Pickled:
    """Pickle a value; raises FileFullError above `max_bytes`, and what reducers raise."""
    return Pickled(pickle.dumps(value, PICKLE_PROTOCOL), False) if _is_plain(value) else pickle_any(value, max_bytes)


def _is_plain(value: Any, depth: int = _PLAIN_DEPTH) -> bool:
    """Tell, as far as it is quick, that a value holds nothing which plain pickle would send by the name `__main__`."""
    kind = type(value)
    if kind in _SCALARS:
        return True
    if kind not in _CONTAINERS or len(value) > _PLAIN_ITEMS:
        return False
    for item in (*value, *value.values()) if kind is dict else value:  # all(…) would take twice as long
        if type(item) not in _SCALARS and (depth == 0 or not _is_plain(item, depth - 1)):
            return False
    return True


def pickle_any(value: Any, max_bytes: int) -> Pickled:
    """Pickle with cloudpickle, whatever the value is."""
    file = _BoundedFile(max_bytes)
    _Pickler(file, PICKLE_PROTOCOL).dump(value)
    data = file.getvalue()
    return Pickled(data, carries_code(data))


_reduce_code: Callable[[types.CodeType], Any] = cloudpickle.Pickler.dispatch_table[types.CodeType]


def _reduce_code_with_its_file(code: types.CodeType) -> tuple[Any, ...]:
    """Keep the name of a function's file, without which a traceback shows no line; cloudpickle 3.1.3 takes it away."""
    constructor, parts, *rest = _reduce_code(code)
    return constructor, tuple(code.co_filename if part == _NO_FILE else part for part in parts), *rest


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # cloudpickle ships no types
    dispatch_table: ClassVar = ChainMap(
        {types.CodeType: _reduce_code_with_its_file},
        cloudpickle.Pickler.dispatch_table,  # pyright: ignore[reportArgumentType]  # it calls a ChainMap a Mapping
    )


class _BoundedFile(io.BytesIO):
    """Stops a pickle that grows too large before it fills the memory."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__()
        self._room = max_bytes

    def write(self, data: Any, /) -> int:
        self._room -= memoryview(data).nbytes
        if self._room < 0:
            raise FileFullError
        return super().write(data)


def unpickle(pickled: memoryview, what: str) -> Any:
    """Load a pickle.

    Raises:
        SerializationError: it cannot be loaded, for whatever reason.
        TaskQueueError: the value of another task that belongs into it is gone.
    """
    try:
        return pickle.loads(pickled)
    except TaskQueueError:  # the value of another task is missing
        raise
    except Exception as exc:  # classes rebuild themselves here, so anything may come
        missing = isinstance(exc, ImportError | AttributeError)
        hint = "; this side must be able to import what the other side imported" if missing else ""
        raise SerializationError(f"cannot unpickle the {what}, {error_line(exc)}{hint}") from exc


def error_line(error: BaseException) -> str:
    """Write an error on one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


class _Scales:
    """A file that keeps only the weight of what is written, so that weighing 1 GB does not take 1 GB."""

    def __init__(self) -> None:
        self.size = 0
        self._words = b""

    def write(self, data: Any) -> int:
        self.size += memoryview(data).nbytes
        if isinstance(data, bytes):  # words come as bytes and are never cut in two; only large buffers come otherwise
            self._words += b" ".join(word for word in _WORDS if word not in self._words and word in data)
        return len(data)

    def weight(self) -> Weight:
        return Weight(self.size, carries_code(self._words))


def weigh(value: Any) -> Weight:
    """Weigh a value as it would be pickled alone; raises what reducers raise."""
    scales = _Scales()
    cloudpickle.Pickler(scales, PICKLE_PROTOCOL).dump(value)
    return scales.weight()


class _FileSpotter(cloudpickle.Pickler):  # type: ignore[misc]  # cloudpickle ships no types
    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, io.TextIOWrapper) and obj is not sys.stdout and obj is not sys.stderr:
            raise OpenFileError
        return super().reducer_override(obj)


def refuse_open_files(value: Any) -> None:
    """Raise OpenFileError if pickling a value would read an open file; raises what reducers raise."""
    _FileSpotter(_Scales(), PICKLE_PROTOCOL).dump(value)
