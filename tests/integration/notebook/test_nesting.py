"""Nested loops in a real kernel: with none of the packages, with each applied before and after `start_worker`."""

import textwrap
from collections.abc import Callable

import pytest
from kernels import Cell, Kernel

NewKernel = Callable[[], Kernel]

WORK = """
import asyncio
from sitq.notebook import allow_nested, start_worker

async def double(x):
    await asyncio.sleep(0.01)
    return 2 * x

w = start_worker("jobs.db")
"""
HIDE = """
import importlib.metadata as metadata
_version = metadata.version
def version(name):
    if name in {hidden!r}:
        raise metadata.PackageNotFoundError(name)
    return _version(name)
metadata.version = version
"""


def run(kernel: Kernel, code: str) -> Cell:
    cell = kernel.run(textwrap.dedent(code))
    assert cell.error is None, cell.traceback
    return cell


def test_allow_nested_lets_a_cell_run_a_loop_of_its_own(new_kernel: NewKernel) -> None:
    kernel = new_kernel()
    run(kernel, WORK)

    said = run(kernel, "allow_nested(), allow_nested()")
    nested = run(kernel, "asyncio.run(double(21)), w.submit(double, 4).result(5), await w.submit(double, 5)")

    assert said.text.count("nest_asyncio2 1.7") == 2
    assert nested.text == "(42, 8, 10)"


def test_cells_queued_behind_a_nested_wait_are_not_lost(new_kernel: NewKernel) -> None:
    kernel = new_kernel()
    run(kernel, WORK + "allow_nested()\nasyncio.run(double(1))")

    cells = [kernel.begin(code) for code in ("asyncio.run(asyncio.sleep(0.3))", "print('second')", "print('third')")]
    texts = [kernel.finish(cell).text for cell in cells]

    assert texts[1:] == ["second\n", "third\n"]


@pytest.mark.parametrize("order", ["before", "after"])
@pytest.mark.parametrize("package", ["nest_asyncio", "nest_asyncio2"])
def test_worker_serves_whoever_applies_a_package(new_kernel: NewKernel, package: str, order: str) -> None:
    kernel = new_kernel()
    apply = f"import {package}; {package}.apply()\n"
    run(kernel, apply + WORK if order == "before" else WORK + apply)

    cell = run(kernel, "w.submit(double, 21).result(5), await w.submit(double, 4), w.submit(len, 'abc').result(5)")

    assert cell.text == "(42, 8, 3)"


def test_worker_warns_of_a_package_that_loses_cells(new_kernel: NewKernel) -> None:
    kernel = new_kernel()

    cell = run(kernel, "import nest_asyncio; nest_asyncio.apply()\n" + WORK)

    assert "silently loses cells in ipykernel" in cell.text
    assert "allow_nested() takes its place" in cell.text


def test_plain_package_is_refused_where_it_loses_cells(new_kernel: NewKernel) -> None:
    kernel = new_kernel()
    run(kernel, WORK + HIDE.format(hidden=["nest-asyncio2"]))

    cell = kernel.run("allow_nested()")

    assert cell.error == "ConfigurationError"
    assert 'pip install "nest-asyncio2>=1.7.4" takes its place' in cell.traceback


def test_worker_needs_neither_package(new_kernel: NewKernel) -> None:
    kernel = new_kernel()
    run(kernel, WORK + HIDE.format(hidden=["nest-asyncio", "nest-asyncio2"]))

    cell = run(kernel, "w.submit(double, 21).result(5), await w.submit(double, 4)")
    refused = kernel.run("allow_nested()")

    assert cell.text == "(42, 8)"
    assert "nested loops need nest-asyncio2 1.7.4 or newer, found none" in refused.traceback
