"""The version is one fact, and the changelog says what it brought."""

import re
import tomllib

from pages import ROOT

import sitq

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_version_stands_in_the_package_alone() -> None:
    assert "version" not in PROJECT["project"]
    assert PROJECT["project"]["dynamic"] == ["version"]
    assert PROJECT["tool"]["hatch"]["version"] == {"path": "sitq/__init__.py"}


def test_changelog_begins_with_the_version() -> None:
    headings = re.findall(r"^## (\S+), (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)

    version, day = headings[0]
    assert version == sitq.__version__
    assert day == "unreleased" or re.fullmatch(r"\d{4}-\d\d-\d\d", day)
