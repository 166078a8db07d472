"""A server and a browser that the tests of a module share, and notebooks that end with their test."""

import functools
import importlib.util
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from lab import SIZE, WIDGETS, Lab, Notebook, chromium, launch

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


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


@pytest.fixture(scope="module")
def page_of(browser: "Browser") -> Callable[[Lab], "Page"]:
    """Give the page of a server, which shows one notebook after the other."""
    return functools.cache(lambda lab: browser.new_page())


@pytest.fixture
def open_on(page_of: Callable[[Lab], "Page"], request: pytest.FixtureRequest) -> Iterator[Callable[..., Notebook]]:
    """Open a notebook of these cells on a server; its page may throw no error until it is closed."""
    opened: list[Notebook] = []

    def open_on(lab: Lab, *cells: str) -> Notebook:
        page = page_of(lab)
        page.set_viewport_size(SIZE)
        opened.append(Notebook(page, lab, lab.write(request.node.name, cells)))
        return opened[-1]

    yield open_on
    for notebook in opened:
        notebook.close()
        assert notebook.troubles == []


@pytest.fixture
def open_notebook(open_on: Callable[..., Notebook], lab: Lab) -> Callable[..., Notebook]:
    """Open a notebook of these cells in JupyterLab as it comes."""
    return lambda *cells: open_on(lab, *cells)


def _require(module: str) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed; pip install 'sitq-queue[browser]' brings it")
