"""The public names: all there, each at its home, and none loaded before it is asked for."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import sitq

PYPROJECT = Path(__file__).parent.parent.parent / "pyproject.toml"

HEAVY = ("asyncio", "sqlite3", "aiosqlite", "cloudpickle", "pickle", "textual", "rich", "ipywidgets", "IPython")
PATCHES = ("nest_asyncio", "nest_asyncio2")


def _modules_after(code: str) -> set[str]:
    """Tell which modules a fresh interpreter has loaded after running this code."""
    script = f"{code}\nimport sys\nprint(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(ran.stdout.split())


@pytest.mark.parametrize("name", sitq.__all__)
def test_every_exported_name_can_be_imported_and_says_what_it_is(name: str) -> None:
    assert getattr(sitq, name).__doc__


def test_a_name_that_is_not_exported_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'sitq' has no attribute 'Redis'"):
        _ = sitq.Redis


def test_star_import_gives_exactly_the_exported_names() -> None:
    namespace: dict[str, object] = {}
    exec("from sitq import *", namespace)
    assert set(namespace) - {"__builtins__"} == set(sitq.__all__)


def test_dir_shows_every_exported_name() -> None:
    assert set(sitq.__all__) <= set(dir(sitq))


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("sitq.queue", "TaskQueue"),
        ("sitq.worker", "Worker"),
        ("sitq.sync", "SyncTaskQueue"),
        ("sitq.backends.sqlite", "SQLiteBackend"),
        ("sitq.serialization", "CloudpickleSerializer"),
        ("sitq.core", "Result"),
        ("sitq.exceptions", "SitqError"),
    ],
)
def test_a_name_is_the_same_object_in_the_module_that_defines_it(module: str, name: str) -> None:
    assert getattr(import_module(module), name) is getattr(sitq, name)


def test_importing_sitq_loads_nothing_that_takes_time_or_patches_anything() -> None:
    assert not _modules_after("import sitq") & {*HEAVY, *PATCHES}


def test_using_both_doors_loads_neither_screens_nor_notebooks_nor_patches() -> None:
    loaded = _modules_after("from sitq import TaskQueue, Worker, SyncTaskQueue\nTaskQueue(':memory:')")
    assert not loaded & {"textual", "rich", "ipywidgets", "IPython", *PATCHES}


def test_an_inspector_loads_no_pickle_machinery() -> None:
    loaded = _modules_after("from sitq import Inspector\nInspector(':memory:')")
    assert not loaded & {"sitq.serialization", "cloudpickle"}
