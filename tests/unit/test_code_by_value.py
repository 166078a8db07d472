"""Which payloads hold code by value, and can therefore be loaded by one version of Python only."""

import enum
import json
import math
import operator
import os
import pickle
import subprocess
import sys
import types
import typing
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cloudpickle
import pytest

from sitq.serialization import CloudpickleSerializer, required_python
from sitq.serialization.explaining import explain

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
ROOT = Path(__file__).parent.parent.parent

OFFSET = 1

PROGRAM = """
import sys
from dataclasses import dataclass
from sitq.serialization.explaining import explain
from sitq.serialization import CloudpickleSerializer

factor = 6

@dataclass
class Order:
    count: int

def price(order):
    return helper(order.count)

def helper(count):
    return count * factor

sys.stdout.buffer.write(CloudpickleSerializer().dumps_call({function}, (Order(7),), {{}}))
"""


def shift(number: int) -> int:
    return number + OFFSET


class Shifter:
    def shift(self, number: int) -> int:
        return number + OFFSET


class Wrapped:
    """Brings a pickle of its own, as process pools wrap functions."""

    def __init__(self, function: Callable[..., object]) -> None:
        self.function = function

    def __reduce__(self) -> tuple[object, tuple[bytes]]:
        return pickle.loads, (cloudpickle.dumps(self.function),)


def run(program: str) -> bytes:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-c", program], env=environment, check=True, capture_output=True).stdout


@pytest.fixture
def serializer() -> CloudpickleSerializer:
    return CloudpickleSerializer()


@pytest.fixture
def by_value() -> Iterator[types.ModuleType]:
    module = sys.modules[__name__]
    cloudpickle.register_pickle_by_value(module)
    yield module
    cloudpickle.unregister_pickle_by_value(module)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(lambda: None, id="lambda"),
        pytest.param(partial(lambda: None), id="partial of a lambda"),
        pytest.param((lambda number: lambda: number)(1), id="closure"),
        pytest.param(type("Local", (), {"__module__": "__main__"}), id="class"),
        pytest.param(type("Local", (), {"__module__": "__main__"})(), id="instance"),
        pytest.param(enum.Enum("Color", {"RED": 1}, module="__main__"), id="enum"),
        pytest.param(types.ModuleType("dynamic"), id="module"),
        pytest.param(typing.TypeVar("Unknown"), id="type variable"),
        pytest.param(shift.__code__, id="code"),
        pytest.param([{"deep": (lambda: None,)}], id="within containers"),
        pytest.param((Shifter().shift, lambda: None), id="beside a bound method"),
        pytest.param([Shifter().shift, bytes(100_000), list(range(50_000)), lambda: None], id="far behind a method"),
        pytest.param(Wrapped(lambda: None), id="pickled within a pickle"),
    ],
)
def test_what_cannot_be_imported_needs_this_python(serializer: CloudpickleSerializer, value: object) -> None:
    assert required_python(serializer.dumps(value)) == HERE
    assert required_python(serializer.dumps_call(shift, (value,), {})) == HERE
    assert required_python(serializer.dumps_call(shift, (), {"value": value})) == HERE
    assert explain(shift, value).python == HERE


@pytest.mark.parametrize(
    "function",
    [json.dumps, shift, Shifter().shift, Shifter.shift, Shifter, len, math.sqrt, "x".join, partial(shift, 1)],
)
def test_what_can_be_imported_runs_on_any_python(
    serializer: CloudpickleSerializer, function: Callable[..., object]
) -> None:
    payload = serializer.dumps_call(function, (1, "two", Shifter(), json, {"a": 1}.keys()), {"key": operator.add})

    assert required_python(payload) is None
    assert explain(function, Shifter().shift, json).python is None


def test_a_function_needs_this_python_once_it_is_no_longer_what_its_module_has(
    serializer: CloudpickleSerializer, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = shift
    monkeypatch.setattr(sys.modules[__name__], "shift", lambda number: number)

    payload = serializer.dumps_call(before, (1,), {})
    assert required_python(payload) == HERE
    assert serializer.loads_call(payload)[0](1) == 2


def test_modules_registered_by_value_are_sent_by_value(
    serializer: CloudpickleSerializer, by_value: types.ModuleType
) -> None:
    payload = serializer.dumps_call(by_value.shift, (1,), {})

    loaded = serializer.loads_call(payload)[0]
    assert required_python(payload) == HERE
    assert loaded is not shift
    assert loaded(1) == 2


def test_many_calls_need_this_python_only_where_an_argument_holds_code(serializer: CloudpickleSerializer) -> None:
    payloads = serializer.dumps_many(shift, [(1,), (lambda: None,), (2,)])

    assert [required_python(payload) for payload in payloads] == [None, HERE, None]


def test_functions_and_classes_of_a_script_run_in_another_process(serializer: CloudpickleSerializer) -> None:
    payload = run(PROGRAM.format(function="price"))

    function, args, _ = serializer.loads_call(payload)
    assert required_python(payload) == HERE
    assert function(*args) == 42


def test_a_class_of_a_script_goes_by_value_to_an_importable_function(serializer: CloudpickleSerializer) -> None:
    payload = run(PROGRAM.format(function="repr"))

    function, args, _ = serializer.loads_call(payload)
    assert required_python(payload) == HERE
    assert function(*args) == "Order(count=7)"


@pytest.mark.parametrize("payload", [b"", b"\x01", b"\x80\x05N.", b'{"json": 1}', b"\x01\x01\x03"])
def test_foreign_bytes_name_no_python(payload: bytes) -> None:
    assert required_python(payload) is None


def test_function_by_value_keeps_the_file_and_line_of_its_code() -> None:
    serializer = CloudpickleSerializer()

    def outer() -> Callable[[], None]:
        return lambda: None

    function, _, _ = serializer.loads_call(serializer.dumps_call(outer, (), {}))

    assert function.__code__.co_filename == outer.__code__.co_filename == __file__
    assert function().__code__.co_filename == __file__
    assert function.__code__.co_firstlineno == outer.__code__.co_firstlineno
