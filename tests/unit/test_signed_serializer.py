"""SignedSerializer: what was not signed with the key reaches no pickle."""

import pickle
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitq.exceptions import SerializationError, ValidationError
from sitq.serialization import CloudpickleSerializer, JsonSerializer, SignedSerializer, required_python

KEY = b"0123456789abcdef"
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
detonations: list[str] = []


def add(first: int, second: int = 0) -> int:
    return first + second


def detonate(where: str) -> None:
    detonations.append(where)


class Bomb:
    """Does harm when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return detonate, ("unpickled",)


@pytest.fixture(params=[None, JsonSerializer(), pickle], ids=["cloudpickle", "json", "pickle"])
def signed(request: pytest.FixtureRequest) -> SignedSerializer:
    return SignedSerializer(request.param, KEY)


@pytest.fixture
def serializer() -> SignedSerializer:
    detonations.clear()
    return SignedSerializer(None, KEY)


def test_calls_and_values_come_back(signed: SignedSerializer) -> None:
    assert signed.loads(signed.dumps({"a": [1]})) == {"a": [1]}
    assert signed.loads_call(signed.dumps_call(add, (1,), {"second": 2})) == (add, (1,), {"second": 2})
    assert [signed.loads_call(it)[1] for it in signed.dumps_many(add, [(1,), (2,)])] == [(1,), (2,)]


def test_the_bomb_would_go_off(serializer: SignedSerializer) -> None:
    serializer.loads(serializer.dumps(Bomb()))

    assert detonations == ["unpickled"]


def test_unsigned_bytes_are_never_unpickled(serializer: SignedSerializer) -> None:
    unsigned = CloudpickleSerializer()

    for payload in (pickle.dumps(Bomb()), unsigned.dumps_call(add, (Bomb(),), {}), unsigned.dumps(Bomb())):
        with pytest.raises(SerializationError):
            serializer.loads_call(payload)
        with pytest.raises(SerializationError):
            serializer.loads(payload)
    assert detonations == []


def test_bytes_signed_with_another_key_are_never_unpickled(serializer: SignedSerializer) -> None:
    stranger = SignedSerializer(None, b"another key of 16 bytes or more")

    with pytest.raises(SerializationError, match="signature does not match"):
        serializer.loads_call(stranger.dumps_call(add, (Bomb(),), {}))
    with pytest.raises(SerializationError, match="signature does not match"):
        serializer.loads(stranger.dumps(Bomb()))
    assert detonations == []


def test_a_byte_changed_anywhere_is_noticed_before_unpickling(serializer: SignedSerializer) -> None:
    payload = serializer.dumps_call(add, (Bomb(),), {})

    for position in range(len(payload)):
        changed = bytearray(payload)
        changed[position] ^= 1
        with pytest.raises(SerializationError):
            serializer.loads_call(bytes(changed))
    assert detonations == []


def test_a_payload_cut_anywhere_is_noticed_before_unpickling(serializer: SignedSerializer) -> None:
    payload = serializer.dumps(Bomb())

    for length in range(len(payload)):
        with pytest.raises(SerializationError):
            serializer.loads(payload[:length])
    assert detonations == []


def test_a_signed_value_does_not_pass_for_a_call(serializer: SignedSerializer) -> None:
    value, call = serializer.dumps(Bomb()), serializer.dumps_call(add, (), {})
    relabelled = call[:2] + value[2:]

    with pytest.raises(SerializationError, match="payload expected, got the bytes of a value"):
        serializer.loads_call(value)
    with pytest.raises(SerializationError, match="signature does not match"):
        serializer.loads_call(relabelled)
    assert detonations == []


@given(data=st.binary())
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(SerializationError):
        SignedSerializer(None, KEY).loads_call(data)


def test_the_python_that_a_payload_needs_is_seen_through_the_signature(serializer: SignedSerializer) -> None:
    assert required_python(serializer.dumps_call(lambda: None, (), {})) == HERE
    assert required_python(serializer.dumps_call(add, (1,), {})) is None
    assert [required_python(it) for it in serializer.dumps_many(add, [(1,), (lambda: 1,)])] == [None, HERE]


def test_unsigned_readers_refuse_signed_bytes_by_name(serializer: SignedSerializer) -> None:
    with pytest.raises(SerializationError, match="written by serializer 'signed', this side reads 'cloudpickle'"):
        CloudpickleSerializer().loads_call(serializer.dumps_call(add, (), {}))


def test_the_same_key_does_not_make_two_serializers_agree(serializer: SignedSerializer) -> None:
    with pytest.raises(SerializationError, match="written by serializer 'json', this side reads 'cloudpickle'"):
        serializer.loads(SignedSerializer(JsonSerializer(), KEY).dumps(1))


def test_a_key_may_be_text(serializer: SignedSerializer) -> None:
    assert SignedSerializer(None, KEY.decode()).loads(serializer.dumps(1)) == 1


@pytest.mark.parametrize("key", [b"", "", b"fifteen bytes..", "x" * 15])
def test_short_keys_are_refused(key: Any) -> None:
    with pytest.raises(ValidationError, match=r"key must have 16 bytes or more, got \d+$"):
        SignedSerializer(None, key)


@pytest.mark.parametrize("key", [None, 1, bytearray(16)])
def test_keys_of_other_types_are_refused(key: Any) -> None:
    with pytest.raises(ValidationError, match="key must be bytes or str, got"):
        SignedSerializer(None, key)


def test_the_key_is_not_shown(serializer: SignedSerializer) -> None:
    assert KEY.decode() not in repr(serializer)
