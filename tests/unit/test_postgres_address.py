"""The URL of a PostgreSQL store: what it names, and what of it is shown."""

from typing import Any

import pytest

from sitq.backends.postgres import PostgresBackend
from sitq.backends.postgres.address import Address, parse
from sitq.exceptions import ValidationError


def address(url: str) -> Address:
    return parse(url, command_timeout=30.0, reconnect_timeout=5.0, read_only=False)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ada:s3cret@db.example:6432/jobs?schema=mail",
        "postgresql://ada@db.example:6432/jobs?schema=mail&password=s3cret",
    ],
)
def test_password_is_never_shown(url: str) -> None:
    shown = repr(PostgresBackend(url))

    assert shown == "PostgresBackend('postgresql://ada@db.example:6432/jobs?schema=mail')"
    assert "s3cret" in address(url).dsn


def test_password_of_a_url_that_cannot_be_read_is_not_shown() -> None:
    with pytest.raises(ValidationError) as refusal:
        PostgresBackend("ada:s3cret@db.example")

    assert "s3cret" not in str(refusal.value)


@pytest.mark.parametrize("sign", "/?#")
def test_password_that_ends_the_login_too_early_is_refused(sign: str) -> None:
    with pytest.raises(ValidationError, match="percent-encoded") as refusal:
        PostgresBackend(f"postgresql://ada:s3{sign}cret@db.example/jobs")

    assert "s3" not in str(refusal.value)


def test_schema_is_sitq_unless_named_and_goes_into_statements() -> None:
    assert address("postgresql://db/jobs").sql("select 1 from sitq.task") == 'select 1 from "sitq".task'
    assert address("postgresql://db/jobs?schema=mail").sql("select 1 from sitq.task") == 'select 1 from "mail".task'


@pytest.mark.parametrize("schema", ["", "Mail", 'a"b', "a b", "1a", "pg_jobs", "a" * 49])
def test_schema_with_a_name_that_needs_care_is_refused(schema: str) -> None:
    with pytest.raises(ValidationError, match="schema must be up to 48 of a-z"):
        PostgresBackend(f"postgresql://db/jobs?schema={schema}")


def test_other_parameters_go_to_the_driver() -> None:
    dsn = address("postgresql://db/jobs?schema=mail&sslmode=verify-full").dsn

    assert dsn == "postgresql://db/jobs?sslmode=verify-full&application_name=sitq"


@pytest.mark.parametrize(
    ("url", "remote"),
    [
        ("postgresql://db.example/jobs", True),
        ("postgresql://[2001:db8::1]:5432/jobs", True),
        ("postgresql://localhost,db.example/jobs", True),
        ("postgresql:///jobs?host=db.example", True),
        ("postgresql://ada@127.0.0.1:5432/jobs", False),
        ("postgresql://[::1]/jobs", False),
        ("postgresql:///jobs", False),
        ("postgresql:///jobs?host=/run/postgresql", False),
    ],
)
def test_store_on_another_machine_is_remote(url: str, remote: bool) -> None:
    assert PostgresBackend(url).remote is remote


@pytest.mark.parametrize("option", [{"command_timeout": 0}, {"reconnect_timeout": -1}])
def test_timeouts_that_cannot_be_right_are_refused(option: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(option))):
        PostgresBackend("postgresql://db/jobs", **option)
