"""Which hosts are this very machine."""

import ipaddress
import socket


def is_here(host: str) -> bool:
    """Tell whether a host's name or address is one of this machine's own; a path names a socket, which is here."""
    if host in ("", "localhost") or host.startswith("/"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == socket.gethostname().lower()


def host_of(place: str) -> str:
    """Take user, password and port off a place in a URL, such as `user@host:5432`; an IPv6 address has brackets."""
    place = place.rpartition("@")[2]
    return place[1:].partition("]")[0] if place.startswith("[") else place.partition(":")[0]
