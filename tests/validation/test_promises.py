"""The page of promises names tests that exist."""

import re

import pytest
from pages import ROOT

NAMED = re.findall(r"`(\w+\.py)::(\w+)`", (ROOT / "docs" / "explanation" / "promises.md").read_text())


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_every_promise_is_held_by_a_test_that_exists(file: str, name: str) -> None:
    texts = [path.read_text() for path in (ROOT / "tests").rglob(file)]

    assert any(f"def {name}(" in text for text in texts), f"no {file} below tests has {name}"


def test_every_promise_names_a_test() -> None:
    page = (ROOT / "docs" / "explanation" / "promises.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| complaint")]

    assert len(rows) > 20
    assert all("::test_" in row for row in rows)
