"""JsonSerializer: functions by import path, arguments as JSON, and nothing that JSON would change in silence."""

import datetime
import enum
import json
import sys
from functools import partial
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sitq.exceptions import SerializationError
from sitq.serialization import JsonSerializer, required_python

not_a_function = 1

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
json_values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


class Level(enum.IntEnum):
    LOW = 1


class Point(NamedTuple):
    x: int


class Account:
    @classmethod
    def open(cls, name: str) -> str:
        return name

    @staticmethod
    def close(name: str) -> str:
        return name

    def pay(self) -> None: ...


def greet(name: str) -> str:
    return f"Hello, {name}"


@pytest.fixture
def serializer() -> JsonSerializer:
    return JsonSerializer()


@given(value=json_values)
def test_values_come_back_equal(value: object) -> None:
    serializer = JsonSerializer()

    assert serializer.loads(serializer.dumps(value)) == value


@settings(max_examples=40)
@given(args=st.lists(json_values).map(tuple), kwargs=st.dictionaries(st.text(), json_values))
def test_calls_come_back_equal(args: tuple[object, ...], kwargs: dict[str, object]) -> None:
    serializer = JsonSerializer()

    assert serializer.loads_call(serializer.dumps_call(greet, args, kwargs)) == (greet, args, kwargs)


@given(data=st.binary())
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(SerializationError):
        JsonSerializer().loads_call(data)


@pytest.mark.parametrize("function", [greet, Account.open, Account.close, Account.pay, json.dumps, len])
def test_functions_go_by_import_path(serializer: JsonSerializer, function: Any) -> None:
    payload = serializer.dumps_call(function, (), {})

    assert f"{function.__module__}:{function.__qualname__}".encode() in payload
    assert serializer.loads_call(payload)[0] == function


def test_many_calls_make_the_same_payloads_as_single_ones(serializer: JsonSerializer) -> None:
    assert list(serializer.dumps_many(greet, [("Ada",), ["Bob"]])) == [
        serializer.dumps_call(greet, ("Ada",), {}),
        serializer.dumps_call(greet, ("Bob",), {}),
    ]


def test_payloads_run_on_any_python(serializer: JsonSerializer) -> None:
    payload = serializer.dumps_call(greet, ("Ada",), {})
    of_another = payload[:3] + bytes([payload[3] + 1]) + payload[4:]

    assert required_python(payload) is None
    assert serializer.loads_call(of_another) == (greet, ("Ada",), {})


def test_tuples_arrive_as_lists(serializer: JsonSerializer) -> None:
    assert serializer.loads(serializer.dumps((1, (2, 3)))) == [1, [2, 3]]


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ({"when": [datetime.date(2026, 1, 1)]}, r"argument 0\['when'\]\[0\] is of type date, which JSON would not"),
        ([{1: "one"}], r"argument 0\[0\] has a key of type int"),
        ((1, {2}), r"argument 0\[1\] is of type set"),
        (b"bytes", r"argument 0 is of type bytes"),
        (Level.LOW, r"argument 0 is of type Level"),
        (Point(1), r"argument 0 is of type Point"),
        (float("nan"), r"argument 0 is nan, which JSON cannot hold"),
        ([float("-inf")], r"argument 0\[0\] is -inf"),
    ],
)
def test_what_json_would_change_is_refused_by_path(serializer: JsonSerializer, value: object, fault: str) -> None:
    with pytest.raises(SerializationError, match=fault):
        serializer.dumps_call(greet, (value,), {})


def test_an_integer_beyond_the_digits_that_python_writes_is_refused(serializer: JsonSerializer) -> None:
    with pytest.raises(SerializationError, match="cannot write JSON: Exceeds the limit"):
        serializer.dumps(10**5000)


def test_what_json_would_change_in_keywords_and_results_is_refused(serializer: JsonSerializer) -> None:
    with pytest.raises(SerializationError, match=r"keyword 'on' is of type date"):
        serializer.dumps_call(greet, (), {"on": datetime.date(2026, 1, 1)})
    with pytest.raises(SerializationError, match=r"result\['on'\] is of type date"):
        serializer.dumps({"on": datetime.date(2026, 1, 1)})


def test_a_list_that_holds_itself_is_refused(serializer: JsonSerializer) -> None:
    endless: list[object] = []
    endless += [endless, endless]

    with pytest.raises(SerializationError, match="is more than 100 levels deep"):
        serializer.dumps(endless)


def closure() -> object:
    return lambda: None


def of_main() -> None: ...


of_main.__module__ = "__main__"


@pytest.mark.parametrize(
    ("function", "fault"),
    [
        (lambda: None, "must stand at the top of a module, got <function <lambda>"),
        (closure(), "must stand at the top of a module"),
        (partial(greet, "Ada"), "must stand at the top of a module, got functools.partial"),
        ("text".join, "must stand at the top of a module"),
        (of_main, "a worker cannot import of_main from __main__; move it into a module"),
        (Account().pay, "test_json_serializer:Account.pay is another object than the function given"),
    ],
)
def test_functions_that_cannot_be_imported_are_refused(serializer: JsonSerializer, function: Any, fault: str) -> None:
    with pytest.raises(SerializationError, match=fault):
        serializer.dumps_call(function, (), {})


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("no_such_module:work", "cannot import function no_such_module:work, ModuleNotFoundError: No module named"),
        ("json:no_such_function", "cannot import function json:no_such_function, AttributeError"),
        (f"{__name__}:not_a_function", "not_a_function must be a function, got int"),
        ("json", "cannot import function json"),
        ("", "cannot import function"),
    ],
)
def test_functions_that_are_not_found_are_an_error(serializer: JsonSerializer, path: str, fault: str) -> None:
    payload = serializer.dumps_call(greet, (), {})
    forged = payload.replace(f"{__name__}:greet".encode(), path.encode())

    with pytest.raises(SerializationError, match=fault):
        serializer.loads_call(forged)


@pytest.mark.parametrize(
    "body", [b"1", b"[]", b'["json:dumps",[]]', b'["json:dumps",{},[]]', b"{", b"\xff", b"[" * 9_999]
)
def test_other_json_is_no_call(serializer: JsonSerializer, body: bytes) -> None:
    envelope = serializer.dumps_call(greet, (), {}).partition(b"[")[0]

    with pytest.raises(SerializationError, match=r"must hold a path, a list and an object|cannot read JSON"):
        serializer.loads_call(envelope + body)


def test_a_module_that_fails_to_import_is_an_error(
    serializer: JsonSerializer, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "breaks_on_import.py").write_text("1 / 0")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    payload = serializer.dumps_call(greet, (), {}).replace(__name__.encode(), b"breaks_on_import")

    with pytest.raises(SerializationError, match="breaks_on_import:greet, ZeroDivisionError"):
        serializer.loads_call(payload)
