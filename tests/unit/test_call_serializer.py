"""The doors take any object that has dumps and loads."""

import json
import pickle
import sys
from typing import Any

import cloudpickle
import pytest

from sitq.exceptions import SerializationError, ValidationError
from sitq.serialization import (
    CloudpickleSerializer,
    JsonSerializer,
    SignedSerializer,
    call_serializer,
    required_python,
)

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


def add(first: int, second: int = 0) -> int:
    return first + second


class Reversed:
    """A serializer of somebody else's."""

    def dumps(self, value: Any, /) -> bytes:
        return pickle.dumps(value)[::-1]

    def loads(self, data: bytes, /) -> Any:
        return pickle.loads(data[::-1])


class Loose:
    """Returns text, and on the way back not what was given."""

    def dumps(self, value: Any, /) -> Any:
        return "text"

    def loads(self, data: bytes, /) -> Any:
        return "text"


class Forgetful(Reversed):
    def loads(self, data: bytes, /) -> Any:
        return None


def test_cloudpickle_serves_by_default() -> None:
    assert isinstance(call_serializer(None), CloudpickleSerializer)


@pytest.mark.parametrize(
    "serializer",
    [CloudpickleSerializer(), JsonSerializer(), SignedSerializer(None, bytes(16))],
    ids=lambda it: type(it).__name__,
)
def test_a_serializer_that_knows_calls_serves_itself(serializer: CloudpickleSerializer) -> None:
    assert call_serializer(serializer) is serializer


@pytest.mark.parametrize("serializer", [pickle, Reversed()], ids=["module", "object"])
def test_a_serializer_of_values_learns_calls(serializer: Any) -> None:
    served = call_serializer(serializer)

    assert served.loads(served.dumps({"a": 1})) == {"a": 1}
    assert served.loads_call(served.dumps_call(add, (1,), {"second": 2})) == (add, (1,), {"second": 2})
    assert [served.loads_call(it) for it in served.dumps_many(add, [(1,), [2]])] == [(add, (1,), {}), (add, (2,), {})]


@pytest.mark.parametrize("wrong", [1, "pickle", object(), CloudpickleSerializer])
def test_what_cannot_serialize_is_refused(wrong: Any) -> None:
    with pytest.raises(ValidationError, match="serializer must be an object with dumps and loads, got"):
        call_serializer(wrong)


def test_payloads_of_another_serializer_are_refused_by_name() -> None:
    payload, value = JsonSerializer().dumps_call(add, (1,), {}), JsonSerializer().dumps(1)

    with pytest.raises(
        SerializationError, match="payload was written by serializer 'json', this side reads 'cloudpickle'"
    ):
        CloudpickleSerializer().loads_call(payload)
    with pytest.raises(SerializationError, match="value was written by serializer 'json', this side reads 'pickle'"):
        call_serializer(pickle).loads(value)
    with pytest.raises(SerializationError, match="'Reversed', this side reads 'json'"):
        JsonSerializer().loads(call_serializer(Reversed()).dumps(1))


def test_a_serializer_that_returns_text_is_refused() -> None:
    with pytest.raises(SerializationError, match="serializer 'json' must return bytes from dumps, got str"):
        call_serializer(json).dumps(1)  # type: ignore[arg-type]


def test_what_a_serializer_refuses_is_named() -> None:
    with pytest.raises(
        SerializationError, match=r"serializer 'pickle' refuses function <lambda>: .*(pickle|local object)"
    ):
        call_serializer(pickle).dumps_call(lambda: None, (), {})
    with pytest.raises(SerializationError, match=r"serializer 'pickle' refuses result: \w+Error: .*lambda"):
        call_serializer(pickle).dumps(lambda: None)


def test_what_a_serializer_cannot_read_is_an_error() -> None:
    served = call_serializer(Reversed())

    with pytest.raises(SerializationError, match=r"serializer 'Reversed' cannot read: \w+Error: "):
        served.loads(served.dumps("some text")[:-3])


def test_a_serializer_that_loses_the_call_is_an_error() -> None:
    served = call_serializer(Forgetful())

    with pytest.raises(SerializationError, match="must hold a function"):
        served.loads_call(served.dumps_call(add, (), {}))


def test_code_by_value_is_seen_in_bytes_of_any_serializer() -> None:
    served = call_serializer(cloudpickle)

    assert required_python(served.dumps_call(lambda: None, (), {})) == HERE
    assert required_python(served.dumps_call(add, (), {})) is None


def test_a_serializer_of_any_name_can_be_wrapped() -> None:
    served = call_serializer(type("Sérialiseur" * 40, (Reversed,), {})())

    assert served.loads(served.dumps(1)) == 1
