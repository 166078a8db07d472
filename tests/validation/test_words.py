"""The docs leave out nothing that the code has: names, errors, states, options."""

import inspect
from dataclasses import fields

import pytest
from pages import ROOT

import sitq
from sitq import exceptions
from sitq.core import Cause, TaskStatus
from sitq.options import TaskOptions

DOCS = ROOT / "docs"
ERRORS = [
    name for name, value in vars(exceptions).items() if inspect.isclass(value) and issubclass(value, sitq.SitqError)
]


def _reference() -> str:
    return "\n".join(page.read_text() for page in (DOCS / "reference").glob("*.md"))


@pytest.mark.parametrize("name", sitq.__all__)
def test_every_exported_name_has_a_place_in_the_reference(name: str) -> None:
    module = getattr(sitq, name).__module__
    places = (f"::: sitq.{name}\n", f"::: {module}.{name}\n", f"::: {module}\n")
    assert any(place in _reference() for place in places)


@pytest.mark.parametrize("name", [name for name in ERRORS if name not in ("SitqError", "WorkerError")])
def test_every_error_is_in_the_table_of_errors(name: str) -> None:
    assert f"| `{name}`" in (DOCS / "how-to" / "errors.md").read_text()


@pytest.mark.parametrize("word", [*TaskStatus, *Cause, "scheduled", "retrying", "blocked", "stalled"])
def test_every_state_and_every_cause_is_on_the_page_of_states(word: str) -> None:
    assert word in (DOCS / "explanation" / "states.md").read_text()


@pytest.mark.parametrize("option", [field.name for field in fields(TaskOptions)])
def test_every_option_is_named_in_the_readme(option: str) -> None:
    text = (ROOT / "README.md").read_text()
    assert f"`{option}`" in text or f"{option}=" in text
