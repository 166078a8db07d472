"""naming: how a store is called on the screen."""

from pathlib import Path

from sitq_monitor.naming import shortened


def test_file_is_called_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "tasks.db"

    assert shortened(f"{path} was deleted", str(path)) == "tasks.db was deleted"
    assert shortened("no answer from pg://a:b@c/d", "pg://a:b@c/d") == "no answer from pg://a@c/d"
