"""A server and a browser that the tests of a module share, and notebooks that end with their test."""

import importlib.util
import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from lab import SIZE, WIDGETS, Lab, Notebook, chromium, launch

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """A Chromium without a window."""
    _require("playwright")
    program = chromium()
    if program is None:
        pytest.skip("there is no Chromium; on Debian `apt-get install chromium` brings it")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = launch(playwright, program)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab as it comes."""
    _require("jupyterlab")
    lab = Lab(tmp_path_factory.mktemp("lab"))
    yield lab
    lab.close()


@pytest.fixture(scope="module")
def lab_without_widgets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab whose pages know no widgets, whatever the kernel has."""
    _require("jupyterlab")
    lab = Lab(tmp_path_factory.mktemp("lab"), without=[WIDGETS])
    yield lab
    lab.close()


@pytest.fixture
def open_on(browser: "Browser", request: pytest.FixtureRequest) -> Iterator[Callable[..., Notebook]]:
    """Open notebooks of these cells on a server; none of their pages may throw an error."""
    opened: list[Notebook] = []

    def open_on(lab: Lab, *cells: str) -> Notebook:
        path = lab.write(f"{request.node.name}-{len(opened)}", cells)
        opened.append(Notebook(browser.new_page(viewport=SIZE), lab, path))
        return opened[-1]

    yield open_on
    for notebook in opened:
        notebook.close()
    assert list(itertools.chain(*(notebook.troubles for notebook in opened))) == []


@pytest.fixture
def open_notebook(open_on: Callable[..., Notebook], lab: Lab) -> Callable[..., Notebook]:
    """Open a notebook of these cells in JupyterLab as it comes."""
    return lambda *cells: open_on(lab, *cells)


def _require(module: str) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed; pip install 'sitq-queue[browser]' brings it")
