"""Large payloads: a warning, then a refusal, which name what makes them large."""

import warnings

import pytest

from sitq.exceptions import ResourceExhaustionError, ValidationError
from sitq.serialization import CloudpickleSerializer, LargePayloadWarning

FRAME = b"x" * 200_000


@pytest.fixture
def serializer() -> CloudpickleSerializer:
    return CloudpickleSerializer(max_bytes=100_000, warn_bytes=10_000)


def test_a_captured_global_that_is_too_large_is_named(serializer: CloudpickleSerializer) -> None:
    def train() -> int:
        return len(FRAME)

    with pytest.raises(
        ResourceExhaustionError,
        match=r"call of function train is 196\.\d KiB, more than max_bytes of 97\.7 KiB; "
        r"largest: function train -> global 'FRAME' \(bytes, 195\.3 KiB\); pass it as an argument, load it",
    ) as caught:
        serializer.dumps_call(train, (), {})
    assert caught.value.context["size"] > 200_000
    assert caught.value.context["max_bytes"] == 100_000


def test_of_a_helper_the_variable_is_named_and_not_the_helper(serializer: CloudpickleSerializer) -> None:
    frame = FRAME[:150_000]

    def helper() -> int:
        return len(frame)

    with pytest.raises(
        ResourceExhaustionError, match=r"largest: function <lambda> -> closure 'helper' -> closure 'fra"
    ):
        serializer.dumps_call(lambda: helper(), (), {})


@pytest.mark.parametrize(
    ("args", "kwargs", "path"), [((1, FRAME), {}, "argument 1"), ((), {"x": [FRAME]}, "keyword 'x'")]
)
def test_an_argument_that_is_too_large_is_named(
    serializer: CloudpickleSerializer, args: tuple[object, ...], kwargs: dict[str, object], path: str
) -> None:
    with pytest.raises(ResourceExhaustionError, match=rf"largest: {path} \("):
        serializer.dumps_call(len, args, kwargs)


def test_a_result_that_is_too_large_is_refused(serializer: CloudpickleSerializer) -> None:
    with pytest.raises(
        ResourceExhaustionError, match=r"result is 195\.3 KiB, more .* write it to a file and return its"
    ):
        serializer.dumps({"frame": FRAME})


def test_the_largest_parts_come_first_and_no_more_than_three(serializer: CloudpickleSerializer) -> None:
    args = tuple(b"x" * size for size in (30_000, 10_000, 40_000, 20_000))

    with pytest.raises(
        ResourceExhaustionError, match=r"largest: argument 2 .*, argument 0 .*, argument 3 [^,]*, [^,]*;"
    ):
        serializer.dumps_call(print, args, {})


def test_pickling_stops_before_an_endless_object_fills_the_memory(serializer: CloudpickleSerializer) -> None:
    taken = []

    class Endless:
        def __reduce__(self) -> tuple[object, ...]:
            return list, (), None, (taken.append(1) or bytes(30_000) for _ in range(1_000))

    with pytest.raises(ResourceExhaustionError):
        serializer.dumps(Endless())


def test_a_large_payload_warns_at_the_line_that_made_it(serializer: CloudpickleSerializer) -> None:
    with pytest.warns(LargePayloadWarning, match=r"call of function len is .* largest: argument 0 \(bytes") as caught:
        serializer.dumps_call(len, (FRAME[:20_000],), {})

    assert caught[0].filename == __file__


def test_a_large_result_warns(serializer: CloudpickleSerializer) -> None:
    with pytest.warns(LargePayloadWarning, match=r"result is 19\.5 KiB; largest: result \(bytes, 19\.5 KiB\)"):
        serializer.dumps(FRAME[:20_000])


def test_small_payloads_do_not_warn(serializer: CloudpickleSerializer) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")

        assert serializer.dumps_call(len, (FRAME[:9_000],), {})


def test_by_default_a_payload_may_have_64_mib() -> None:
    with pytest.warns(LargePayloadWarning):
        CloudpickleSerializer().dumps(bytes(60 * 1024**2))
    with pytest.raises(ResourceExhaustionError, match=r"max_bytes of 64\.0 MiB"):
        CloudpickleSerializer().dumps(bytes(65 * 1024**2))


@pytest.mark.parametrize("limits", [{"max_bytes": 0}, {"max_bytes": 2**32}, {"warn_bytes": -1}])
def test_limits_that_cannot_be_are_refused(limits: dict[str, int]) -> None:
    with pytest.raises(ValidationError, match=f"{next(iter(limits))} must be"):
        CloudpickleSerializer(**limits)
