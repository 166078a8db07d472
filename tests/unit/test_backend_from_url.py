"""One text names a store: a path, or a URL whose scheme decides the kind."""

import sys
from pathlib import Path

import pytest

from sitq import ConfigurationError, ValidationError, backend_from_url


def test_a_path_and_a_sqlite_url_name_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert backend_from_url("jobs.db").path == str(tmp_path / "jobs.db")
    assert backend_from_url(f"sqlite:///{tmp_path}/jobs.db").path == str(tmp_path / "jobs.db")
    assert backend_from_url().path == str(tmp_path / "sitq.db")


def test_an_unknown_scheme_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(
        ConfigurationError, match=r"begins with one of sqlite://, memory://, postgresql://.*; got mysql://"
    ):
        backend_from_url("mysql://localhost/jobs")


@pytest.mark.parametrize("url", [7, b"jobs.db"])
def test_what_is_no_text_is_refused(url: object) -> None:
    with pytest.raises(ValidationError, match="must be a Backend, a path or a URL"):
        backend_from_url(url)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("scheme", "package", "extra"),
    [("postgresql", "asyncpg", "postgres"), ("redis", "redis", "redis"), ("nats", "nats", "nats")],
)
def test_a_missing_package_is_named_with_the_extra_that_brings_it(
    scheme: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [
        name for name in sys.modules if name.split(".")[0] == package or name.startswith(f"sitq.backends.{extra}")
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=rf"needs the package {package}.*; install it with: .*\[{extra}\]"):
        backend_from_url(f"{scheme}://localhost")
