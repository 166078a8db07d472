"""What all tests share: a place for a store, and programs that run as processes of their own."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from processes import Programs
from servers import Servers

# A busy machine draws examples slowly, and that is no fault of theirs. They are the same in every run, so that a change
# is judged by what it changed; `--hypothesis-profile=roaming` looks for new ones.
settings.register_profile(
    "brief", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=40, derandomize=True
)
settings.register_profile("thorough", settings.get_profile("brief"), max_examples=1_000)
settings.register_profile("roaming", settings.get_profile("thorough"), derandomize=False)
settings.load_profile("brief")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a test may make its store; nothing is there yet."""
    return tmp_path / "tasks.db"


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    started = Programs(tmp_path)
    yield started
    started.end()


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    # Not in pytest's own folder: other sessions tidy that up, and PostgreSQL's user may not enter it.
    with tempfile.TemporaryDirectory(prefix="sitq-servers-", ignore_cleanup_errors=True) as folder:
        started = Servers(Path(folder))
        yield started
        started.end()
