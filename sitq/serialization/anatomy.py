"""How pickling takes a call or an object apart: the parts it goes on to, and by which path."""

import dis
import functools
import reprlib
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import cloudpickle

from sitq.serialization.pickling import PICKLE_PROTOCOL

# Of a class, what cloudpickle leaves out, and what is never large nor a problem.
_CLASS_PLUMBING = frozenset(
    {"__dict__", "__weakref__", "_abc_impl", "__module__", "__doc__", "__firstlineno__", "__static_attributes__"}
)


# Never large, and never a problem.
WEIGHTLESS = frozenset({types.NoneType, bool, int, float})


class Carried(NamedTuple):
    """An object that a pickle takes along, and how the pickle comes to it.

    Attributes:
        kind: "function", "global", "closure", "default", "argument", "attribute", "item", "result", or "state" for
            what only the object's own pickling protocol knows.
        path: the way from the call, or from the object that leads here.
    """

    kind: str
    path: str
    value: Any


def call_roots(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Carried]:
    """Name what a call is made of; the paths begin with these names."""
    return [
        Carried("function", f"function {call_name(func)}", func),
        *(Carried("argument", f"argument {position}", value) for position, value in enumerate(args)),
        *(Carried("argument", f"keyword {name!r}", value) for name, value in kwargs.items()),
    ]


def call_name(func: Any) -> str:
    """Name what is called, whatever kind of callable it is."""
    if isinstance(func, functools.partial):
        return f"partial({call_name(func.func)})"
    return short_name(func) if hasattr(func, "__qualname__") else f"{short_name(type(func))}()"


def short_name(named: Any) -> str:
    """Give the name of a function or class without the functions that it was made in."""
    return str(named.__qualname__).rpartition("<locals>.")[2]


def parts(value: Any) -> Iterator[Carried]:
    """Yield what pickling the object goes on to, each with the path from the object to it."""
    take_apart = _of_class if isinstance(value, type) else _TAKEN_APART.get(type(value), _of_instance)
    try:
        yield from take_apart(value)
    except Exception:  # it cannot be taken apart, so it is to blame itself for what goes wrong in it
        return


def _of_function(function: types.FunctionType) -> Iterator[Carried]:
    for name in dict.fromkeys(_global_names(function.__code__)):
        if name in function.__globals__:
            yield Carried("global", f" -> global {name!r}", function.__globals__[name])
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        for value in _contents(cell):
            yield Carried("closure", f" -> closure {name!r}", value)
    for name, value in _defaults(function):
        yield Carried("default", f" -> default {name!r}", value)
    for name, value in vars(function).items():
        yield Carried("attribute", f".{name}", value)
    for name, value in function.__annotations__.items():
        yield Carried("state", f" -> annotation {name!r}", value)


def _global_names(code: types.CodeType) -> Iterator[str]:
    """Yield the globals that a function and the functions within it name; `co_names` has attributes among them."""
    for instruction in dis.get_instructions(code):
        if instruction.opname.endswith("_GLOBAL"):
            yield instruction.argval
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _global_names(constant)


def _contents(cell: types.CellType) -> list[Any]:
    try:
        return [cell.cell_contents]
    except ValueError:  # not filled yet
        return []


def _defaults(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    values = function.__defaults__ or ()
    code = function.__code__
    yield from zip(code.co_varnames[code.co_argcount - len(values) : code.co_argcount], values, strict=True)
    yield from (function.__kwdefaults__ or {}).items()


def _of_method(method: types.MethodType) -> Iterator[Carried]:
    yield Carried("function", "", method.__func__)
    yield Carried("argument", " -> self", method.__self__)


def _of_partial(call: functools.partial[Any]) -> Iterator[Carried]:
    yield Carried("function", ".func", call.func)
    for position, value in enumerate(call.args):
        yield Carried("argument", f".args[{position}]", value)
    for name, value in call.keywords.items():
        yield Carried("argument", f".keywords[{name!r}]", value)


def _of_class(cls: type) -> Iterator[Carried]:
    for base in cls.__bases__:
        yield Carried("attribute", f" -> base {short_name(base)}", base)
    for name, value in list(vars(cls).items()):
        if name not in _CLASS_PLUMBING and not isinstance(value, types.MemberDescriptorType):
            yield Carried("attribute", f".{name}", _unwrapped(value))


def _unwrapped(value: Any) -> Any:
    if isinstance(value, staticmethod | classmethod):
        return value.__func__
    return value.fget if isinstance(value, property) else value


def _of_module(module: types.ModuleType) -> Iterator[Carried]:
    for name, value in list(vars(module).items()):
        if name != "__builtins__":
            yield Carried("attribute", f".{name}", value)


def _of_dict(items: dict[Any, Any]) -> Iterator[Carried]:
    for key, value in list(items.items()):
        yield Carried("state", f" -> key {_label(key)}", key)
        yield Carried("item", f"[{_label(key)}]", value)


def _label(value: Any) -> str:
    return " ".join(reprlib.repr(value).split())


def _of_sequence(items: list[Any] | tuple[Any, ...]) -> Iterator[Carried]:
    for position, value in enumerate(items):
        yield Carried("item", f"[{position}]", value)


def _of_set(items: set[Any] | frozenset[Any]) -> Iterator[Carried]:
    for value in list(items):
        yield Carried("item", f" -> item {_label(value)}", value)


def _of_instance(value: Any) -> Iterator[Carried]:
    """Ask the object for its parts the way pickle does, so that what its `__getstate__` leaves out is left out here."""
    reduced = _reduced(value)
    if isinstance(reduced, str):
        return
    parts: list[Any] = [*reduced, None, None, None]
    constructor, arguments, state, items, pairs = parts[:5]
    yield from _of_state(state)
    for position, item in enumerate(items or ()):
        yield Carried("item", f"[{position}]", item)
    yield from _of_dict(dict(pairs or ()))
    for position, argument in enumerate(arguments):
        yield from _of_constructor(argument, f" -> constructor argument {position}")
    yield from _of_constructor(constructor, " -> constructor")


def _of_constructor(value: Any, path: str) -> Iterator[Carried]:
    yield Carried("state", f" -> class {short_name(value)}" if isinstance(value, type) else path, value)


def _reduced(value: Any) -> Any:
    reduce = cloudpickle.Pickler.dispatch_table.get(type(value))
    return reduce(value) if reduce else value.__reduce_ex__(PICKLE_PROTOCOL)


def _of_state(state: Any) -> Iterator[Carried]:
    """Yield attributes of a state in either form that pickle knows: a dict, or one of `__dict__` and one of slots."""
    halves: list[Any] = list(state) if isinstance(state, tuple) and len(state) == 2 else [state]
    if not all(half is None or isinstance(half, dict) for half in halves):
        yield Carried("state", " -> state", state)
        return
    for half in halves:
        for name, value in (half or {}).items():
            yield Carried("attribute", f".{name}", value)


_TAKEN_APART: dict[type, Callable[[Any], Iterator[Carried]]] = {
    types.FunctionType: _of_function,
    types.MethodType: _of_method,
    functools.partial: _of_partial,
    types.ModuleType: _of_module,
    dict: _of_dict,
    list: _of_sequence,
    tuple: _of_sequence,
    set: _of_set,
    frozenset: _of_set,
}
