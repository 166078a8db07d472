"""Short texts of a call: what people see of a task without unpickling it."""

import functools
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitq.inputs import TaskId
from sitq.producer.preview import function_name, preview_arguments


def test_call_without_arguments_has_no_text() -> None:
    assert preview_arguments((), {}) is None


def test_arguments_stand_as_in_the_call() -> None:
    text = preview_arguments((1, "two", None), {"key": 2.5, "flag": True})

    assert text == "1, 'two', None, key=2.5, flag=True"


def test_containers_are_shown_shortened() -> None:
    assert preview_arguments(([*range(100)],), {}) == "[0, 1, 2, 3, 4, 5, ...]"
    assert preview_arguments(({"a": [1]},), {}) == "{'a': [1]}"
    assert preview_arguments(([[[[1]]]],), {}) == "[[[...]]]"


class Frame:
    def __repr__(self) -> str:
        raise AssertionError("its repr takes milliseconds")


class Table(dict[str, int]):
    __repr__ = Frame.__repr__


def test_other_objects_are_shown_by_their_type_alone() -> None:
    assert preview_arguments((Frame(), [Frame()], Table()), {}) == "<Frame>, [<Frame>], <Table>"


def test_long_texts_are_cut_in_the_middle() -> None:
    text = preview_arguments(("begin" + "x" * 500 + "end",), {})

    assert text is not None
    assert text.startswith("'begin")
    assert text.endswith("end'")
    assert len(text) <= 62


def test_many_arguments_are_cut_at_the_end() -> None:
    text = preview_arguments(tuple(range(1000)), {})

    assert text is not None
    assert len(text) == 200
    assert text.startswith("0, 1, 2")
    assert text.endswith("…")


class array:  # a name that reprlib takes for the standard library's own
    pass


HARD = [10**5000, [10**5000], {10**5000: 1}, [array()], {"a": array()}, "\udcff", ["\udcff"], b"\xff" * 100]


@pytest.mark.parametrize("value", HARD, ids=range(len(HARD)))
def test_value_that_is_hard_to_show_is_shown_somehow(value: Any) -> None:
    text = preview_arguments((value,), {"key": value})

    assert text
    assert text.encode()


def test_value_that_holds_itself_is_shown() -> None:
    items: list[Any] = []
    items.append(items)

    assert preview_arguments((items,), {}) == "[[[...]]]"


def test_names_of_keywords_are_made_valid_unicode() -> None:
    assert preview_arguments((), {"\udcff": 1}) == "\\udcff=1"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=20,
)


@given(st.lists(values), st.dictionaries(st.text(), values))
def test_text_of_any_call_is_short_and_valid(args: list[Any], kwargs: dict[str, Any]) -> None:
    text = preview_arguments(tuple(args), kwargs)

    assert (text is None) is (not args and not kwargs)
    assert len(text or "") <= 200
    assert (text or "").encode() is not None


class Doubler:
    def double(self) -> None: ...

    def __call__(self) -> None: ...


def nested() -> Any:
    def inner() -> None: ...

    return inner


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (nested, f"{__name__}.nested"),
        (nested(), f"{__name__}.nested.<locals>.inner"),
        (Doubler().double, f"{__name__}.Doubler.double"),
        (Doubler(), f"{__name__}.Doubler"),
        (Doubler, f"{__name__}.Doubler"),
        (functools.partial(nested), f"{__name__}.nested"),
        (functools.partial(functools.partial(nested)), f"{__name__}.nested"),
        (len, "builtins.len"),
        (Fraction.limit_denominator, "fractions.Fraction.limit_denominator"),
        ("".join, "str.join"),
    ],
)
def test_function_is_named_with_its_module(function: Any, name: str) -> None:
    assert function_name(function) == name


def test_function_of_the_script_is_named_without_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nested, "__module__", "__main__")

    assert function_name(nested) == "nested"


def test_handles_are_shown_as_tasks() -> None:
    handle = TaskId("01a20d55ba100027a614bc87836b")

    assert preview_arguments((handle, [handle]), {}) == "task bc87836b, [task bc87836b]"
