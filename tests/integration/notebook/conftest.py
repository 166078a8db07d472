"""A worker as a notebook starts it, and kernels: one that a module's tests share, and those that a test ends itself."""

import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kernels import Cell, Kernel, Run

from sitq.notebook import BackgroundWorker, start_worker


@pytest.fixture
def worker(path: Path) -> Iterator[BackgroundWorker]:
    """A worker on the test's store, in this process."""
    worker = start_worker(path)
    yield worker
    worker.stop(grace=0)


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """A kernel whose cells find sitq's names imported."""
    kernel = Kernel(tmp_path_factory.mktemp("kernel"))
    kernel.run("import asyncio, threading, time\nfrom sitq.notebook import start_worker")
    yield kernel
    kernel.close()


@pytest.fixture
def run(kernel: Kernel, request: pytest.FixtureRequest) -> Iterator[Run]:
    """Run a cell that must not fail; `w` is a worker on a store in a new `folder`, begun as the module's BEGIN says."""

    def run(code: str, timeout: float = 15.0) -> Cell:
        cell = kernel.run(textwrap.dedent(code).strip(), timeout)
        assert cell.error is None, cell.traceback
        return cell

    run("import os, pathlib, tempfile; folder = tempfile.mkdtemp()")
    run(getattr(request.module, "BEGIN", "w = start_worker(folder + '/jobs.db')"))
    yield run
    run("w.stop(grace=0)")


@pytest.fixture
def new_kernel(tmp_path: Path) -> Iterator[Callable[[], Kernel]]:
    """Start a kernel in the test's folder; all end with the test."""
    kernels: list[Kernel] = []

    def start() -> Kernel:
        kernels.append(Kernel(tmp_path))
        return kernels[-1]

    yield start
    for kernel in kernels:
        kernel.close()
