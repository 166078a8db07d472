"""Real servers for tests: from the package index, on free ports of this machine, ended with the session."""

import os
import random
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

_NAMES = {"postgres": "schema", "redis": "prefix", "nats": "prefix"}  # what parts the stores of one server


def free_port() -> int:
    """Choose a port below those that systems lend to connections: nobody takes it while its server is away."""
    while True:
        port = random.randint(15_000, 30_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Server:
    """A server that listens on a port of this machine; it can be stopped and started again on its data.

    Args:
        url: where clients find it.
        command: program and arguments.
        log: where it writes.
        options: passed on to `subprocess.Popen`, such as the user to run as.
    """

    def __init__(self, url: str, command: Sequence[object], *, port: int, log: Path, **options: Any) -> None:
        self.url = url
        self._command = [str(part) for part in command]
        self._port = port
        self._log = log
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, timeout: float = 20.0) -> None:
        """Start it and wait until it takes connections."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **self._options
            )
        deadline = time.monotonic() + timeout
        while not self._listens():
            assert self._process.poll() is None, f"{self._command[0]} ended: {self._log.read_text()}"
            assert time.monotonic() < deadline, f"{self._command[0]} does not listen: {self._log.read_text()}"
            time.sleep(0.01)

    def stop(self, *, kill: bool = False) -> None:
        """End it, or kill it, and wait for its end."""
        if self._process is None:
            return
        if kill:
            self._process.kill()
        else:
            self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0


class Servers:
    """Starts each kind of server when it is first asked for.

    `SITQ_TEST_POSTGRES_URL`, `SITQ_TEST_REDIS_URL` and `SITQ_TEST_NATS_URL` name servers to use instead.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: dict[str, Server] = {}

    def url(self, kind: str) -> str:
        """Tell where the server of a kind ("postgres", "redis", "nats") listens."""
        given = os.environ.get(f"SITQ_TEST_{kind.upper()}_URL")
        if given:
            return given
        if kind not in self._started:
            self._started[kind] = self.start(kind, self._folder / kind)
        return self._started[kind].url

    def store(self, kind: str) -> str:
        """Name an empty store of its own on the server of a kind."""
        url = self.url(kind)
        return f"{url}{'&' if '?' in url else '?'}{_NAMES[kind]}=test_{os.urandom(6).hex()}"

    def start(self, kind: str, folder: Path) -> Server:
        """Start a server of a kind that the test itself stops."""
        folder.mkdir(parents=True)
        server: Server = import_module(f"servers.{kind}").server(folder)
        server.start()
        return server

    def end(self) -> None:
        for server in self._started.values():
            server.stop()
