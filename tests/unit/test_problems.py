"""What keeps a call from being pickled is found, and the path to it told."""

import abc
import collections
import contextlib
import dataclasses
import enum
import functools
import io
import sqlite3
import threading
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sitq.exceptions import SerializationError
from sitq.serialization import CloudpickleSerializer, problems
from sitq.serialization.anatomy import Carried

LOCK = threading.Lock()


class Holder:
    def __init__(self, **attributes: object) -> None:
        vars(self).update(attributes)

    def work(self) -> None: ...

    def __call__(self) -> None: ...


class Slotted:
    __slots__ = ("empty", "name", "token")

    def __init__(self, token: object) -> None:
        self.name, self.token = "slotted", token


class Discreet:
    """Leaves its lock out of its pickle, but not its other trouble."""

    def __init__(self, other: object) -> None:
        self.lock, self.other = LOCK, other

    def __getstate__(self) -> dict[str, object]:
        return {"other": self.other}


@dataclasses.dataclass
class Settings:
    name: str
    lock: object


def numbers() -> Iterator[int]:
    yield 1


def message(func: Callable[..., Any], *args: object, **kwargs: object) -> str:
    with pytest.raises(SerializationError) as caught:
        CloudpickleSerializer().dumps_call(func, args, kwargs)
    assert caught.value.cause is not None
    return caught.value.message


def locate(value: object, path: str) -> str | None:
    problem = problems.find_problem([Carried("argument", path, value)])
    return problem and problem.path


def test_a_global_is_named() -> None:
    def train() -> object:
        return LOCK

    assert message(train) == "cannot pickle '_thread.lock' object: function train -> global 'LOCK'"


def test_a_global_of_a_nested_function_is_named() -> None:
    def train() -> object:
        return [LOCK for _ in range(3)] and (lambda: LOCK)

    assert message(train) == "cannot pickle '_thread.lock' object: function train -> global 'LOCK'"


def test_a_closure_is_named() -> None:
    lock = threading.Lock()

    assert message(lambda: lock) == "cannot pickle '_thread.lock' object: function <lambda> -> closure 'lock'"


def test_a_chain_of_helpers_is_followed() -> None:
    def helper() -> object:
        return LOCK

    def outer() -> object:
        return helper()

    assert message(outer) == "cannot pickle '_thread.lock' object: function outer -> closure 'helper' -> global 'LOCK'"


def test_globals_of_a_script_are_followed() -> None:
    script: dict[str, Any] = {"__name__": "__main__", "lock": LOCK, "unused": LOCK}
    exec("def helper(): return lock\ndef outer(): return helper()", script)

    assert message(script["outer"]).endswith("function outer -> global 'helper' -> global 'lock'")


def test_an_attribute_of_the_same_name_is_not_mistaken_for_a_global() -> None:
    script: dict[str, Any] = {"__name__": "__main__", "lock": LOCK, "other": iter(numbers())}
    exec("def work(x): return x.lock, other", script)

    assert message(script["work"]) == "cannot pickle 'generator' object: function work -> global 'other'"


def test_a_recursive_function_is_not_its_own_culprit() -> None:
    def count(number: int) -> object:
        return count(number - 1) if number else LOCK

    assert message(count).endswith("function count -> global 'LOCK'")


def test_defaults_and_attributes_of_functions_are_named() -> None:
    def positional(first: int = 1, second: object = LOCK) -> None: ...
    def keyword(*, token: object = LOCK) -> None: ...
    def marked() -> None: ...

    marked.lock = LOCK  # type: ignore[attr-defined]
    assert message(positional).endswith("function positional -> default 'second'")
    assert message(keyword).endswith("function keyword -> default 'token'")
    assert message(marked).endswith("function marked.lock")


def test_bound_methods_partials_and_callable_objects_are_followed() -> None:
    assert message(Holder(lock=LOCK).work).endswith("function Holder.work -> self.lock")
    assert message(Holder(lock=LOCK)).endswith("function Holder().lock")
    assert message(functools.partial(print, LOCK)).endswith("function partial(print).args[0]")
    assert message(functools.partial(print, end=[LOCK])).endswith("function partial(print).keywords['end'][0]")
    assert message(functools.partial(lambda: LOCK)).endswith("function partial(<lambda>).func -> global 'LOCK'")


def test_classes_of_a_script_are_followed() -> None:
    script: dict[str, Any] = {"__name__": "__main__", "lock": LOCK}
    exec(
        "class Base:\n def first(self): return 1\n"
        "class Model(Base):\n def first(self): return super().first()\n @staticmethod\n def second(): return lock",
        script,
    )

    assert message(print, script["Model"]()).endswith("argument 0 -> class Model.second -> global 'lock'")


def test_enums_and_abstract_classes_of_a_script_are_followed() -> None:
    class Color(enum.Enum):
        RED = 1

        @property
        def lock(self) -> object:
            return LOCK

    class Shape(abc.ABC):
        token = LOCK

        @abc.abstractmethod
        def area(self) -> float: ...

    assert message(print, Color.RED).endswith("argument 0 -> class Color.lock -> global 'LOCK'")
    assert message(print, Shape).endswith("argument 0.token")


@pytest.mark.parametrize(
    ("argument", "path"),
    [
        (LOCK, "argument 0"),
        ([1, {"g": numbers()}], "argument 0[1]['g']"),
        (Slotted(LOCK), "argument 0.token"),
        (Settings("a", LOCK), "argument 0.lock"),
        (Discreet(LOCK), "argument 0.other"),
        (collections.OrderedDict(a=LOCK), "argument 0['a']"),
        (collections.deque([1, LOCK]), "argument 0[1]"),
        (ValueError(LOCK), "argument 0 -> constructor argument 0"),
        (types.SimpleNamespace(x=(LOCK,)), "argument 0.x[0]"),
        ({(1, Holder(lock=LOCK)): 1}, "argument 0 -> key (1, <"),
        ({"a" * 100: LOCK}, "argument 0['aaaaaaaaaaaa...aaaaaaaaaaaaa']"),
        (threading.Event(), "argument 0._cond._lock"),
    ],
)
def test_arguments_are_searched(argument: object, path: str) -> None:
    found = locate(argument, "argument 0")

    assert found is not None
    assert found.startswith(path)


def test_a_database_connection_deep_within_an_argument_is_named() -> None:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        argument = Holder(db={"conn": [connection]})

        assert message(print, argument) == "cannot pickle 'sqlite3.Connection' object: argument 0.db['conn'][0]"


def test_members_of_sets_are_searched() -> None:
    assert (locate({Holder(lock=LOCK)}, "result") or "").startswith("result -> item <")


def test_keywords_are_named() -> None:
    assert message(print, cfg=Holder(lock=LOCK)) == "cannot pickle '_thread.lock' object: keyword 'cfg'.lock"


def test_modules_made_by_hand_are_searched() -> None:
    module = types.ModuleType("made_by_hand")
    module.lock = LOCK  # type: ignore[attr-defined]

    assert locate(module, "argument 0") == "argument 0.lock"


def test_a_coroutine_is_named() -> None:
    async def fetch() -> None: ...

    coroutine = fetch()
    assert message(print, coroutine) == "cannot pickle 'coroutine' object: argument 0"
    coroutine.close()


def test_a_file_open_for_writing_is_named(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as log:
        assert message(print, [log]).endswith("not opened for reading: w: argument 0[0]")


def test_results_are_searched() -> None:
    with pytest.raises(SerializationError, match=r"cannot pickle '_thread.lock' object: result\['model'\]\.lock$"):
        CloudpickleSerializer().dumps({"model": Holder(lock=LOCK)})


def test_errors_of_a_class_that_refuses_are_kept_on_one_line() -> None:
    class Stubborn:
        def __reduce__(self) -> Any:
            raise RuntimeError("not\nthis one")

    assert message(print, [Stubborn()]) == "cannot pickle, RuntimeError: not this one: argument 0[0]"


def test_an_object_that_breaks_the_rules_of_pickle_is_named() -> None:
    class Broken:
        def __reduce__(self) -> Any:
            return (print,)

    assert message(print, [Broken()]).endswith("argument 0[0]")


def test_objects_that_hold_each_other_are_searched_once() -> None:
    first, second = Holder(), Holder()
    first.other, second.other, second.lock = second, first, LOCK  # type: ignore[attr-defined]

    assert locate([first], "argument 0") == "argument 0[0].other.lock"


def test_depth_itself_is_to_blame_when_nothing_else_is() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]

    assert message(print, deep) == "Could not pickle object as excessively deep recursion required: argument 0"


def test_a_search_without_time_names_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(problems, "_SEARCH_SECONDS", 0.0)

    assert locate([[LOCK]], "argument 0") == "argument 0"


@pytest.mark.parametrize("value", [None, [1, {"a": (2,)}], Holder(a=1), lambda: 1, io.BytesIO(b"a")])
def test_what_can_be_pickled_has_no_culprit(value: object) -> None:
    assert locate(value, "argument 0") is None
