"""CloudpickleSerializer: what goes in comes out, and what must not be loaded is not."""

import sys
import threading
import types

import cloudpickle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sitq.exceptions import SerializationError
from sitq.serialization import CloudpickleSerializer, required_python

detonations: list[str] = []

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
plain = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text() | st.integers(), inner)
)


def add(first: int, second: int = 0) -> int:
    return first + second


def detonate(where: str) -> None:
    detonations.append(where)


class Bomb:
    """Does harm when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return detonate, ("unpickled",)


class Calculator:
    def __init__(self, base: int) -> None:
        self.base = base

    def add(self, number: int) -> int:
        return self.base + number


@pytest.fixture
def serializer() -> CloudpickleSerializer:
    return CloudpickleSerializer()


@given(value=plain)
def test_values_come_back_equal(value: object) -> None:
    serializer = CloudpickleSerializer()

    assert serializer.loads(serializer.dumps(value)) == value


@settings(max_examples=40)
@given(args=st.lists(plain).map(tuple), kwargs=st.dictionaries(st.text(), plain))
def test_calls_come_back_equal(args: tuple[object, ...], kwargs: dict[str, object]) -> None:
    serializer = CloudpickleSerializer()

    assert serializer.loads_call(serializer.dumps_call(add, args, kwargs)) == (add, args, kwargs)


@given(data=st.binary())
def test_garbage_is_refused(data: bytes) -> None:
    serializer = CloudpickleSerializer()

    with pytest.raises(SerializationError):
        serializer.loads(data)
    with pytest.raises(SerializationError):
        serializer.loads_call(data)


@given(length=st.integers(min_value=0, max_value=80))
def test_cut_off_payloads_are_refused(length: int) -> None:
    serializer = CloudpickleSerializer()
    payload = serializer.dumps_call(add, ("some", "arguments"), {"that": "make it long enough"})

    with pytest.raises(SerializationError):
        serializer.loads_call(payload[:length])


def test_payloads_of_other_bytes_are_never_unpickled(serializer: CloudpickleSerializer) -> None:
    with pytest.raises(SerializationError, match="not written by sitq"):
        serializer.loads(cloudpickle.dumps(Bomb()))

    assert detonations == []


def test_code_of_another_python_is_never_unpickled(serializer: CloudpickleSerializer) -> None:
    payload = bytearray(serializer.dumps_call(lambda: None, (Bomb(),), {}))
    payload[3] += 1

    with pytest.raises(SerializationError, match=r"carries code of Python 3\.\d+, which Python"):
        serializer.loads_call(bytes(payload))
    assert detonations == []
    assert required_python(bytes(payload)) == f"3.{sys.version_info.minor + 1}"


def test_plain_payloads_of_another_python_are_loaded(serializer: CloudpickleSerializer) -> None:
    payload = bytearray(serializer.dumps_call(add, (1,), {}))
    payload[3] += 1

    assert serializer.loads_call(bytes(payload)) == (add, (1,), {})


def test_a_value_is_not_read_as_a_call(serializer: CloudpickleSerializer) -> None:
    with pytest.raises(SerializationError, match="payload expected, got the bytes of a value"):
        serializer.loads_call(serializer.dumps((add, (), {})))
    with pytest.raises(SerializationError, match="value expected, got the bytes of a call"):
        serializer.loads(serializer.dumps_call(add, (), {}))


def test_an_envelope_of_a_newer_format_is_refused(serializer: CloudpickleSerializer) -> None:
    with pytest.raises(SerializationError, match="newer version"):
        serializer.loads(b"\x02" + serializer.dumps(None)[1:])


def test_a_payload_without_a_call_in_it_is_refused(serializer: CloudpickleSerializer) -> None:
    call, value = serializer.dumps_call(add, (), {}), serializer.dumps(None)
    pickled_none = value[16:]
    forged = call[:16] + len(pickled_none).to_bytes(4, "big") + pickled_none * 2

    with pytest.raises(SerializationError, match="must hold a function"):
        serializer.loads_call(forged)


def test_a_missing_module_is_named(serializer: CloudpickleSerializer, monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("gone_by_then")
    exec("def work(): pass", module.__dict__)
    monkeypatch.setitem(sys.modules, "gone_by_then", module)
    payload = serializer.dumps_call(module.work, (), {})
    monkeypatch.delitem(sys.modules, "gone_by_then")

    with pytest.raises(SerializationError, match="function, ModuleNotFoundError: No module named 'gone_by_then'; this"):
        serializer.loads_call(payload)


def test_methods_lambdas_and_closures_are_called_as_before(serializer: CloudpickleSerializer) -> None:
    base = 40

    for function in (Calculator(40).add, lambda number: base + number, add.__get__(40)):
        loaded, args, _ = serializer.loads_call(serializer.dumps_call(function, (2,), {}))
        assert loaded(*args) == 42


def test_a_captured_variable_arrives_as_it_was_at_enqueue(serializer: CloudpickleSerializer) -> None:
    box = {"value": 1}
    payload = serializer.dumps_call(lambda: box["value"], (), {})
    box["value"] = 2

    assert serializer.loads_call(payload)[0]() == 1


def test_each_call_pickles_a_function_anew(serializer: CloudpickleSerializer) -> None:
    box = {"value": 1}
    function = lambda: box["value"]  # noqa: E731
    serializer.dumps_call(function, (), {})
    box["value"] = 2

    assert serializer.loads_call(serializer.dumps_call(function, (), {}))[0]() == 2


def test_many_calls_carry_the_function_as_it_was_when_asked_for(serializer: CloudpickleSerializer) -> None:
    box = {"value": 1}
    payloads = serializer.dumps_many(lambda number: box["value"] + number, [(1,), [2]])
    box["value"] = 100

    calls = [serializer.loads_call(payload) for payload in payloads]
    assert [function(*args) for function, args, _ in calls] == [2, 3]


def test_many_calls_make_the_same_payloads_as_single_ones(serializer: CloudpickleSerializer) -> None:
    calls = [(1,), (1, "two"), (threading.Thread,), (Calculator(1),)]

    assert list(serializer.dumps_many(add, calls)) == [serializer.dumps_call(add, args, {}) for args in calls]
