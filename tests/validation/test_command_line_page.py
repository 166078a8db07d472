"""The page of the command line names every command and every option, and none that is not there."""

import re

import click
import pytest
from pages import ROOT

from sitq.cli.app import ALIASES, app

PAGE = (ROOT / "docs" / "reference" / "command-line.md").read_text()
SECTIONS = dict(re.findall(r"^### `sitq ([a-z-]+)[^\n]*\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))


def options_of(command: click.Command) -> set[str]:
    return {name for option in command.params for name in option.opts if name.startswith("--")} - {"--help"}


def test_every_command_has_its_section() -> None:
    assert set(SECTIONS) == set(app.commands)
    assert all(f"`{alias}`" in SECTIONS[name] for alias, name in ALIASES.items())


@pytest.mark.parametrize("name", app.commands)
def test_section_names_the_options(name: str) -> None:
    assert set(re.findall(r"`(--[a-z-]+)", SECTIONS[name])) == options_of(app.commands[name])
