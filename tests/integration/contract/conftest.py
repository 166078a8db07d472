"""A backend for each test of the contract suite, and workers that are registered with it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from servers import Servers

from contract.builders import register
from contract.stores import MakeStore, chosen_stores
from sitq.backends.base import Backend
from sitq.core import WorkerInfo

STORES = pytest.StashKey[dict[str, MakeStore]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--store",
        metavar="MODULE:FACTORY",
        help="run the contract suite against the stores that FACTORY() makes, each an empty one; not against ours",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[STORES] = chosen_stores(config.getoption("--store", None))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "make_store" in metafunc.fixturenames:
        stores = metafunc.config.stash[STORES]
        metafunc.parametrize("make_store", list(stores.values()), ids=list(stores), indirect=True)


@pytest.fixture
def make_store(request: pytest.FixtureRequest) -> MakeStore:
    """What makes a store of the kind that is tested."""
    make: MakeStore = request.param
    return make


@pytest.fixture
async def backend(make_store: MakeStore, tmp_path: Path, servers: Servers) -> AsyncIterator[Backend]:
    """A connected backend on an empty store."""
    async with make_store(tmp_path, servers) as backend:
        yield backend


@pytest.fixture
async def twin(backend: Backend) -> AsyncIterator[Backend]:
    """A second, independent backend on the same store."""
    async with backend.twin() as twin:
        yield twin


@pytest.fixture
async def worker(backend: Backend) -> WorkerInfo:
    """A registered worker that serves all lanes."""
    return await register(backend)


@pytest.fixture
async def other(backend: Backend) -> WorkerInfo:
    """Another registered worker, to take what the first one loses."""
    return await register(backend)
