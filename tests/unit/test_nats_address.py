"""The URL of a NATS store, and names as words of subjects."""

import pytest
from hypothesis import given, strategies

from sitq.backends.nats.address import parse, text, token


@pytest.mark.parametrize(
    ("url", "servers", "prefix", "replicas"),
    [
        ("nats://localhost", ("nats://localhost",), "sitq", 1),
        ("nats://a:4222,b:4222?replicas=3", ("nats://a:4222", "nats://b:4222"), "sitq", 3),
        ("tls://ada:secret@host:4222?prefix=jobs", ("tls://ada:secret@host:4222",), "jobs", 1),
        ("nats://localhost:4222/?prefix=jobs", ("nats://localhost:4222",), "jobs", 1),
    ],
)
def test_url_is_taken_apart(url: str, servers: tuple[str, ...], prefix: str, replicas: int) -> None:
    address = parse(url)

    assert (address.servers, address.prefix, address.replicas) == (servers, prefix, replicas)


def test_password_is_not_in_what_is_shown() -> None:
    assert parse("nats://ada:secret@a,bob:sesame@b?prefix=jobs").shown == "nats://ada:***@a,bob:***@b?prefix=jobs"


@given(strategies.text(strategies.characters(exclude_categories=["Cs"])))
def test_any_name_is_one_word_of_a_subject_and_can_be_read_again(name: str) -> None:
    word = token(name)

    assert text(word) == name
    assert word
    assert not set(word) & set(". *>\t\r\n\x00")
