"""naming: how a store is called on the screen."""

from pathlib import Path

import pytest

from sitq_monitor.naming import shortened, without_password


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("tasks.db", "tasks.db"),
        ("postgresql://ada:s3cr:et@db.example/jobs", "postgresql://ada:…@db.example/jobs"),
        ("redis://:s3cret@db:6379/0", "redis://:…@db:6379/0"),
        ("nats://db:4222", "nats://db:4222"),
        ("cannot reach redis://a:b@c/1, redis://d:e@f/2", "cannot reach redis://a:…@c/1, redis://d:…@f/2"),
    ],
)
def test_password_of_a_url_is_not_shown(text: str, shown: str) -> None:
    assert without_password(text) == shown


def test_file_is_called_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "tasks.db"

    assert shortened(f"{path} was deleted", str(path)) == "tasks.db was deleted"
    assert shortened("no answer from pg://a:b@c/d", "pg://a:b@c/d") == "no answer from pg://a:…@c/d"
