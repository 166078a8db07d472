"""The two commands of the README are real, and the ones that continuous integration runs."""

import os

from pages import ROOT, blocks

CI = ROOT / ".ci" / "run"


def _command(mark: str) -> str:
    (code,) = (block.code for block in blocks(ROOT / "README.md", "bash") if mark in block.code)
    return code


def test_ci_runs_the_readmes_main_command_as_it_stands() -> None:
    assert f"    {_command('.[monitor]')}" in CI.read_text()


def test_ci_runs_the_readmes_test_command_as_it_stands() -> None:
    assert f"    {_command('.[test]')}" in CI.read_text()


def test_each_command_is_one_line() -> None:
    assert _command(".[monitor]").count("\n") == _command(".[test]").count("\n") == 1


def test_ci_is_executable() -> None:
    assert os.access(CI, os.X_OK)
