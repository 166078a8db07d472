"""The drawings of the docs are those that their script draws, and say what the code says."""

import subprocess
import sys
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import pytest
from pages import ROOT, blocks

from sitq.core import TaskStatus

ASSETS = ROOT / "docs" / "assets"
ARCHITECTURE = ROOT / "docs" / "explanation" / "architecture.md"
CALLERS_OF_ALL = "sitq_monitor"  # a package of its own, above the others


def _texts_of(drawing: Path) -> list[str]:
    return [text for element in ElementTree.parse(drawing).iter() if (text := element.text)]


def _floors_of_the_page() -> list[str]:
    (floors,) = blocks(ARCHITECTURE, "text")
    return [word.removeprefix("sitq.") for word in floors.code.split() if word.startswith(("sitq.", "sitq_"))]


def _floors_of_the_linter() -> dict[str, int]:
    (layers, *_) = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    return {name: floor for floor, names in enumerate(layers["layers"]) for name in names.split(" | ")}


def test_drawings_are_what_the_script_draws(tmp_path: Path) -> None:
    subprocess.run([sys.executable, ASSETS / "make_diagrams.py", tmp_path], check=True, timeout=30)
    drawn = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert drawn == {name: (ASSETS / name).read_text() for name in drawn}


@pytest.mark.parametrize("name", ["states.svg", "states-dark.svg"])
def test_drawing_of_the_states_has_all_of_them(name: str) -> None:
    assert set(TaskStatus) <= set(_texts_of(ASSETS / name))


def test_floors_of_the_page_are_in_the_order_of_the_linter() -> None:
    floors = _floors_of_the_linter()
    shown = [floors[name] for name in _floors_of_the_page() if name != CALLERS_OF_ALL]
    assert len(shown) > 15
    assert shown == sorted(shown)
